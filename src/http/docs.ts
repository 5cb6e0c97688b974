// What tells about the plane's API: `/openapi.json` and `/docs`, for everybody, as they hold nothing of anybody. Each is made when it
// is first asked for. The page may run its own script, talk to where it came from, and nothing else.
import { docsPage } from "./docs-page.ts";
import { SCRIPT } from "./docs-script.ts";
import { STYLE } from "./docs-style.ts";
import { pathOf } from "./normalise.ts";
import { openApi, type OpenApiOptions } from "./openapi.ts";
import { problem } from "./problem.ts";
import type { Fetch } from "./server.ts";

interface Page {
  text: string;
  headers: Record<string, string>;
}

export function createDocs(options: OpenApiOptions): Fetch {
  const made = new Map<string, Promise<Page>>();
  const page = (path: string): Promise<Page> => {
    const known = made.get(path) ?? (path === "/docs" ? docs(options) : document(options));
    made.set(path, known);
    return known;
  };
  return async (request) => {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") {
      const detail = `cannot ${method} this: use GET`;
      return problem({ status: 405, title: "Method Not Allowed", detail, headers: { allow: "GET, HEAD" } });
    }
    const { text, headers } = await page(pathOf(request));
    return new Response(method === "HEAD" ? null : text, { headers: { ...SHARED, ...headers } });
  };
}

const SHARED = { "cache-control": "no-cache", "x-content-type-options": "nosniff" };

async function document(options: OpenApiOptions): Promise<Page> {
  return { text: JSON.stringify(openApi(options)), headers: { "content-type": "application/json" } };
}

async function docs(options: OpenApiOptions): Promise<Page> {
  const rules = [
    "default-src 'none'",
    `script-src '${await hashOf(SCRIPT)}'`,
    `style-src '${await hashOf(STYLE)}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    text: docsPage(openApi(options)),
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": rules.join("; "),
      "referrer-policy": "no-referrer",
    },
  };
}

async function hashOf(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `sha256-${btoa(String.fromCharCode(...hash))}`;
}
