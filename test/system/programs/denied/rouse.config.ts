import { defineService } from "rouse/config";

export default defineService({
  name: "denied",
  entry: "server.ts",
  sockets: { http: 8080 },
  directories: { state: true },
  stopTimeout: "5s",
});
