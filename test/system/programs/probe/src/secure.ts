// Tells its process over HTTPS. Key and certificate are the credentials tls.key and tls.crt, or in the folder FILES.
import { createServer } from "node:https";
import { activate, secure } from "rouse";

const activation = activate({ fallback: { web: 8443 } });
const folder = process.env.FILES ? `${process.env.FILES}/` : "";
const server = createServer((_request, response) => response.end(`${process.pid}\n`));
secure(activation, server, { key: `${folder}tls.key`, cert: `${folder}tls.crt` });
await activation.listen(server, "web");
