/** What `cmdop` sets before it loads anything, whose processes those of the benchmark stand for. */
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--semi-space-growth-factor=1')
