// The version of this build, as health and `haraka version` say it; a test holds it against package.json.
export const version = "0.1.0";
