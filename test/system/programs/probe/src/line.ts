// One process per connection, which it reads and writes itself.
import { activate } from "rouse";

const { connection, peer, source } = activate({ accept: "connection" });
if (!connection) throw new Error("there is no connection");
connection.write(`${JSON.stringify({ source, peer })}\n`);
for await (const data of connection) connection.write(`${String(data).toUpperCase()}`);
