/** What a program in an executable may import from "rouse", and what is put in front of it. */
export { adopt as __adopt } from "../activation/adopt.ts";
export * from "../index.ts";
