// What cosmosdb-server.sh does with @azure/cosmos and @vercel/cosmosdb-server: sdk.js MODULES_DIR COMMAND ...
//   read ENDPOINT KEY        checks what an unmodified client sees of fake-azure's account
//   serve URL_FILE           runs cosmosdb-server over TLS with fake-azure's certificate
//   fill ENDPOINT KEY SEED   creates in a server what fake-azure has by its seed
const assert = require("assert");
const fs = require("fs");
const path = require("path");

const [modules, command, ...args] = process.argv.slice(2);
const load = (name) => require(path.join(modules, "node_modules", name));

function idsOf(container) {
  const ids = [];
  for (let i = 0; i < (container.documents || 0); i++) ids.push("document-" + String(i).padStart(8, "0"));
  for (const { text, repeat = 1, count = 1 } of container.ids || [])
    for (let i = 0; i < count; i++) ids.push(text.repeat(repeat) + (count > 1 ? i : ""));
  return ids;
}

async function read(endpoint, key) {
  const { CosmosClient } = load("@azure/cosmos");
  const client = new CosmosClient({ endpoint, key });
  const names = async (iterator) => (await iterator.fetchAll()).resources.map((r) => r.id);
  assert.deepStrictEqual(await names(client.databases.readAll()), ["shop", "empty"]);
  assert.deepStrictEqual(await names(client.database("shop").containers.readAll()), ["carts", "none", "Ü +%"]);
  const carts = client.database("shop").container("carts");
  assert.deepStrictEqual(await names(carts.readPartitionKeyRanges()), ["0", "1", "2"]);
  assert.strictEqual((await names(carts.items.query("SELECT * FROM c"))).length, 68);
  assert.strictEqual((await names(carts.items.query("SELECT c.id FROM c WHERE LENGTH(c.id) > 247"))).length, 8);
  await assert.rejects(new CosmosClient({ endpoint, key: "d3Jvbmc=" }).databases.readAll().fetchAll(), { code: 401 });
}

function serve(urlFile) {
  const { createHttpsServer } = load("@vercel/cosmosdb-server");
  const file = (name) => fs.readFileSync(path.join(modules, "tls", name));
  const server = createHttpsServer({ key: file("server.key"), cert: file("server.pem") });
  server.listen(0, "127.0.0.1", () => {
    fs.writeFileSync(urlFile + ".new", `https://127.0.0.1:${server.address().port}`);
    fs.renameSync(urlFile + ".new", urlFile);
  });
}

async function fill(endpoint, key, seed) {
  const { CosmosClient } = load("@azure/cosmos");
  const client = new CosmosClient({ endpoint, key });
  for (const { id, containers = [] } of JSON.parse(fs.readFileSync(seed))[0].data.databases) {
    const { database } = await client.databases.create({ id });
    for (const seeded of containers) {
      const { container } = await database.containers.create({ id: seeded.id, partitionKey: { paths: ["/pk"] } });
      for (const item of idsOf(seeded)) await container.items.create({ id: item, pk: "p" });
    }
  }
}

Promise.resolve({ read, serve, fill }[command](...args)).catch((error) => {
  console.error(`${command}: ${error.stack.slice(0, 2000)}`);
  process.exit(1);
});
