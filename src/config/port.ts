// What a port can be, in a config as in code.

export const PORT_RULE = "a port from 1 up to 65535";

export function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
}
