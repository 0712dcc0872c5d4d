import { startRelay } from '@cmdop/relay'
import { runUntilTold, settings } from './run-until-told.ts'

const relay = await startRelay(settings() as Parameters<typeof startRelay>[0])
runUntilTold({ url: relay.url, relayId: relay.relayId, firstKey: relay.firstKey ?? null }, () => relay.close())
