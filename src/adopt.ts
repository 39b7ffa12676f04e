/** `import "rouse/adopt"`, or `node --import rouse/adopt`: before the program's first line. */
import { adopt } from "./activation/adopt.ts";

adopt();
