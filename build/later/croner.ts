// The library as a part of the executable that is read when something asks for it: see compile.ts.
export * from "croner";
