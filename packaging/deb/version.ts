/**
 * The Debian version of a semver version (deb-version(7)), with revision 1: "1.2.3-beta.1" becomes "1.2.3~beta.1-1", because only what
 * follows a tilde sorts before the release. Build metadata stays. Known difference: dpkg ranks digits inside one identifier as a
 * number ("rc10" after "rc2"), semver as text.
 * Gives undefined where dpkg has no such version.
 */
export function debianVersion(version: string): string | undefined {
  const [release = "", ...build] = version.split("+");
  const upstream = [release.replace("-", "~"), ...build].join("+");
  return /^\d[A-Za-z0-9.+~-]*$/.test(upstream) ? `${upstream}-1` : undefined;
}
