/** `write-sample.ts EXECUTABLE PATH`: writes the sample package and prints how much memory that took at its peak, in KiB. */
import { deb } from "../../packaging/deb/index.ts";
import { sampleRequest } from "./sample.ts";

const [executable, path] = process.argv.slice(2);
await deb.write(sampleRequest(executable!), path!);
console.log(process.resourceUsage().maxRSS);
