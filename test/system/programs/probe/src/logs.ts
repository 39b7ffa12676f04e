// Says one thing of each priority, then what has several lines, then ends.
import { console } from "rouse";

console.debug("a detail of %s", "it");
console.log("a line");
console.info("a fact");
console.warn("a warning");
console.error(new RangeError("an error"));
