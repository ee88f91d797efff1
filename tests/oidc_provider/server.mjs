// A provider that nobody here wrote, for the tests of signing in: node server.mjs ISSUER CLIENT SECRET CALLBACK
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const [issuer, client, secret, callback] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [callback] }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", kid: `key-${process.pid}` }] },
  cookies: { keys: ["a key of a test"] },
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["preferred_username"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: `${id} the first` }) }),
});
provider.listen(Number(new URL(issuer).port), "127.0.0.1", () => console.log("ready"));
