// Serves a folder on localhost:  node serve.mjs FOLDER PORT   (port 0: any free one)
// Range requests and media types come from sirv; a taken port is an error, not another port.
import { createServer } from "node:http";
import sirv from "sirv";

const [folder, port] = process.argv.slice(2);
const files = sirv(folder, { dev: true, etag: true });
const server = createServer((req, res) => files(req, res, () => { res.statusCode = 404; res.end("not found\n"); }));
server.on("error", (e) => { console.error(`serve: ${e.message}`); process.exit(1); });
server.listen(Number(port), "127.0.0.1", () => console.log(`bootpath is at http://localhost:${server.address().port}/`));
