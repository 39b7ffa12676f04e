/** How every unit of ours begins: by it a build and a package know which files they may replace. */
export const madeByRouse = "# Made by Rouse.";
