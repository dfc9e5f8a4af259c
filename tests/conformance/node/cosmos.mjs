// cosmos.mjs VARIANT: what @azure/cosmos makes of an account's gateway, where fake-azure has one.
import assert from 'node:assert/strict';
import { CosmosDBManagementClient } from '@azure/arm-cosmosdb';
import { CosmosClient } from '@azure/cosmos';
import { ClientSecretCredential } from '@azure/identity';
import { all, ask, check, client, errorOf, forget, journal, secret, subscription, tenant, url } from './lib.mjs';

const GROUP = 'conformance-data';
const ACCOUNT = 'conformance-data';
const DATA = {
  databases: [
    {
      id: 'shop',
      containers: [
        { id: 'carts', documents: 300, ids: [{ text: 'b', repeat: 991, count: 2 }], ranges: 3, documentsPerPage: 40 },
        { id: 'throttled', documents: 10, throttle: { after: 0, times: 2, retryAfterMs: 20 } },
        { id: 'none' },
        { id: 'Ü +%', ids: [{ text: 'ü', repeat: 496 }] },
      ],
    },
    { id: 'empty' },
  ],
  listPage: 2,
};

const credential = new ClientSecretCredential(tenant, client, secret, { authorityHost: url, disableInstanceDiscovery: true });
const arm = new CosmosDBManagementClient(credential, subscription, { endpoint: url, credentialScopes: [`${url}/.default`] });
const endpoint = (await arm.databaseAccounts.get(GROUP, ACCOUNT)).documentEndpoint;
if (!endpoint.startsWith(`${url}/`)) {
  console.log(`${process.env.CI ? 'not ok -' : 'SKIPPED:'} cosmos: this fake-azure has no gateway to the data of accounts`);
  process.exit(process.env.CI ? 1 : 0);
}
await ask('PUT', `/fake/accounts/${ACCOUNT}`, { data: DATA });

const keys = await arm.databaseAccounts.listKeys(GROUP, ACCOUNT);
const byKey = new CosmosClient({ endpoint, key: keys.primaryReadonlyMasterKey });
const byToken = new CosmosClient({ endpoint, aadCredentials: credential });
const idsOf = async (iterator) => (await iterator.fetchAll()).resources.map((resource) => resource.id);
const container = (id, by = byKey) => by.database('shop').container(id);

await check('cosmos: databases are listed, over pages', async () => {
  assert.deepEqual(await idsOf(byKey.databases.readAll()), ['shop', 'empty']);
});

await check('cosmos: containers are listed, over pages', async () => {
  assert.deepEqual(await idsOf(byKey.database('shop').containers.readAll()), ['carts', 'throttled', 'none', 'Ü +%']);
  assert.deepEqual(await idsOf(byKey.database('empty').containers.readAll()), []);
});

await check('cosmos: partition key ranges are listed', async () => {
  assert.deepEqual(await idsOf(container('carts').readPartitionKeyRanges()), ['0', '1', '2']);
});

await check('cosmos: a query crosses partitions and follows continuations to the last document', async () => {
  await forget();
  const pages = await all(container('carts').items.query('SELECT c.id FROM c', { maxItemCount: 50 }).getAsyncIterator());
  const ids = pages.flatMap((page) => page.resources.map((document) => document.id));
  assert.equal(ids.length, 302);
  assert.equal(new Set(ids).size, 302);
  assert.equal(ids.filter((id) => id.length > 990).length, 2);
  const queries = (await journal()).filter((r) => r.method === 'POST' && r.path.endsWith('/docs'));
  assert.ok(queries.length >= 302 / 40, `${queries.length} pages`);
});

await check('cosmos: pages without documents are passed over', async () => {
  const long = await idsOf(container('carts').items.query('SELECT c.id FROM c WHERE LENGTH(c.id) > 990'));
  assert.equal(long.length, 2);
  assert.deepEqual(await idsOf(container('none').items.query('SELECT c.id FROM c')), []);
});

await check('cosmos: names that need escaping are signed as they are', async () => {
  assert.deepEqual(await idsOf(container('Ü +%').items.query('SELECT c.id FROM c')), ['ü'.repeat(496)]);
});

await check('cosmos: a throttled query is repeated after the time that it is told', async () => {
  assert.equal((await idsOf(container('throttled').items.query('SELECT c.id FROM c'))).length, 10);
});

await check('cosmos: a token of Entra ID reads as a key does', async () => {
  assert.equal((await idsOf(container('carts', byToken).items.query('SELECT c.id FROM c'))).length, 302);
});

await check('cosmos: a wrong key is refused', async () => {
  const wrong = new CosmosClient({ endpoint, key: 'd3Jvbmc=' });
  assert.equal((await errorOf(wrong.databases.readAll().fetchAll())).code, 401);
});

await check('cosmos: what is not there is said not to be', async () => {
  assert.equal((await errorOf(container('absent').items.query('SELECT c.id FROM c').fetchAll())).code, 404);
});
for (const one of [byKey, byToken]) one.dispose();
