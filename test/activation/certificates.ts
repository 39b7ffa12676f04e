/** Keys and certificates for a test, made by openssl. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

export interface Certificate {
  /** Paths of PEM files. */
  readonly key: string;
  readonly cert: string;
}

export interface CertificateOptions {
  readonly type?: "ec" | "rsa";
  /** Encrypts the key. */
  readonly passphrase?: string;
  /** Who signs it; default: itself. */
  readonly issuer?: Certificate;
}

/** Writes NAME.key and NAME.crt into `folder`; the certificate is for localhost, and `name` is its common name. */
export function makeCertificate(folder: string, name: string, options: CertificateOptions = {}): Certificate {
  const { type = "ec", passphrase, issuer } = options;
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const algorithm = type === "ec" ? ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] : ["rsa:2048"];
  const lock = passphrase === undefined ? ["-nodes"] : ["-passout", `pass:${passphrase}`];
  const signer = issuer ? ["-CA", issuer.cert, "-CAkey", issuer.key] : [];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost", "-days", "30"];
  const args = ["req", "-x509", "-newkey", ...algorithm, ...lock, ...signer, ...subject, "-keyout", key, "-out", cert];
  execFileSync("openssl", args, { stdio: "pipe" });
  return { key, cert };
}
