// The floor under `/health`: a bare `Bun.serve` on `PORT` that gives the bytes and headers of another server's `/health`, read
// once at the start from `ORIGIN`, for every request.
const origin = await fetch(`${process.env.ORIGIN}/health`);
const body = await origin.text();
const headers = new Headers();
for (const name of ["content-type", "cache-control"]) headers.set(name, origin.headers.get(name) ?? "");
Bun.serve({
  port: Number(process.env.PORT),
  hostname: "127.0.0.1",
  fetch: () => new Response(body, { headers }),
});
