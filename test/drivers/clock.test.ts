// The runtime's own timers, against the contract of every clock.
import { systemClock } from "../../src/drivers/clock.ts";
import { clockContract } from "../contracts/clock.ts";

// Nothing to turn: the contract awaits its own timers.
clockContract("systemClock", () => ({ clock: systemClock(), turn() {} }));
