// What names a replica, a claim or an attempt, as no other does: 32 hexadecimal digits, which the scripts count on.

export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
