import { pino } from 'pino'
import { Recorder, type RecorderOptions } from '../recordings/recorder.ts'
import { away } from './recording-relay.ts'

/** A recorder whose relay is not there, unless one is given. */
export function createTestRecorder(dataDir: string, options: Partial<RecorderOptions> = {}): Recorder {
  return new Recorder({ dataDir, requests: { send: async () => away() }, log: pino({ level: 'silent' }), ...options })
}
