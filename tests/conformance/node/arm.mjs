// arm.mjs VARIANT: what @azure/arm-cosmosdb and @azure/identity make of fake-azure.
import assert from 'node:assert/strict';
import { CosmosDBManagementClient } from '@azure/arm-cosmosdb';
import { ClientSecretCredential } from '@azure/identity';
import { all, check, client, errorOf, forget, journal, secret, subscription, tenant, url, variant } from './lib.mjs';

const GROUP = 'conformance';
const KEY = 'https://conformance-vault.vault.azure.net/keys/cosmos';
const OTHER_KEY = 'https://conformance-vault.vault.azure.net/keys/cosmos-2';
const SCAN_FAILED = 'Unexpected error on document scan for CMK Migration. Please retry the operation.';
const early = variant === 'other';

const credential = (text) =>
  new ClientSecretCredential(tenant, client, text, { authorityHost: url, disableInstanceDiscovery: true });
const withCredential = (text) =>
  new CosmosDBManagementClient(credential(text), subscription, { endpoint: url, credentialScopes: [`${url}/.default`] });

const accounts = withCredential(secret).databaseAccounts;
const setKey = (name, keyVaultKeyUri, options = {}) =>
  accounts.beginUpdate(GROUP, name, { keyVaultKeyUri }, { updateIntervalInMs: 200, ...options });
const namesOf = (list) => list.map((account) => account.name).sort();

await check('sdk: all accounts of a subscription are listed', async () => {
  const names = ['az', 'cassandra', 'data', 'failing', 'sdk'].map((name) => `conformance-${name}`);
  assert.deepEqual(namesOf(await all(accounts.list())), names);
});

await check('sdk: the accounts of a resource group are listed', async () => {
  assert.deepEqual(namesOf(await all(accounts.listByResourceGroup('conformance-data'))), ['conformance-data']);
});

await check('sdk: an account without a key is read', async () => {
  const account = await accounts.get(GROUP, 'conformance-sdk');
  assert.equal(account.keyVaultKeyUri, undefined);
  assert.equal(account.provisioningState, 'Succeeded');
  assert.equal(account.backupPolicy.type, 'Periodic');
  assert.equal(account.defaultIdentity, 'FirstPartyIdentity');
  assert.equal(account.identity.type, 'None');
  assert.ok(account.systemData.createdAt instanceof Date);
});

await check('sdk: an error of the front door is parsed', async () => {
  const error = await errorOf(accounts.get(GROUP, 'conformance-absent'));
  assert.equal(error.name, 'RestError');
  assert.equal(error.statusCode, 404);
  assert.equal(error.code, 'ResourceNotFound');
  assert.match(error.message, /^The Resource 'Microsoft.DocumentDB\/databaseAccounts\/conformance-absent' under/);
});

// Its code stands at the top and not in "error", where the SDK looks for one; it hands over the parsed body.
await check('sdk: an error of the provider is parsed, on the Cassandra account', async () => {
  const error = await errorOf(setKey('conformance-cassandra', KEY));
  assert.equal(error.name, 'RestError');
  assert.equal(error.statusCode, 400);
  assert.equal(error.details.body.code, 'BadRequest');
  assert.match(error.details.body.message, /Cassandra[^]*\r\nActivityId: [-0-9a-f]{36}, Microsoft\.Azure\.Documents\.Common\/2\.14\.0$/);
});

await check('sdk: a wrong secret is said to be wrong', async () => {
  const error = await errorOf(withCredential('wrong').databaseAccounts.get(GROUP, 'conformance-sdk'));
  assert.equal(error.name, 'AuthenticationRequiredError');
  assert.match(error.message, /^invalid_client: .*AADSTS7000215: Invalid client secret provided/);
});

await check('sdk: the key is set, and the poller ends when the operation does', async () => {
  let start;
  await forget();
  const poller = await setKey('conformance-sdk', KEY, { onResponse: (answer) => (start ??= answer) });
  const meanwhile = await accounts.get(GROUP, 'conformance-sdk');
  assert.equal(meanwhile.provisioningState, 'Updating');
  assert.equal(meanwhile.keyVaultKeyUri, early ? KEY : undefined);
  const locked = await errorOf(setKey('conformance-sdk', OTHER_KEY));
  assert.equal(locked.statusCode, 412);
  assert.equal(locked.details.body.code, 'PreconditionFailed');

  const account = await poller.pollUntilDone();
  assert.equal(account.keyVaultKeyUri, KEY);
  assert.equal(account.provisioningState, 'Succeeded');
  assert.match(account.customerManagedKeyStatus, /^Access to the configured customer managed key confirmed\.$/);
  assert.equal(poller.getOperationState().status, 'succeeded');

  const header = (name) => start.headers.get(name);
  assert.equal(start.status, 200);
  assert.equal(start.parsedBody?.provisioningState ?? JSON.parse(start.bodyAsText).properties.provisioningState, 'Updating');
  for (const name of ['azure-asyncoperation', 'location']) {
    assert.ok(header(name).startsWith(`${url}/subscriptions/`), header(name));
    assert.ok(header(name).length > 3000, `${name}: ${header(name).length}`);
  }
  assert.equal(header('retry-after'), early ? '1' : undefined);
  assert.match(header('x-ms-request-id'), /^[-0-9a-f]{36}$/);
  assert.match(header('x-ms-correlation-request-id'), /^[-0-9a-f]{36}$/);
  assert.match(header('x-ms-ratelimit-remaining-subscription-writes'), /^\d+$/);
  // It sends an id of its own and does not ask for it back.
  assert.match(start.request.headers.get('x-ms-client-request-id'), /^[-0-9a-f]{36}$/);
  assert.equal(header('x-ms-client-request-id'), undefined);
});

await check('sdk: what it asked for', async () => {
  const requests = (await journal()).filter((r) => r.path.includes('/operation') || r.method === 'PATCH');
  const kinds = requests.map((r) => (r.method === 'PATCH' ? 'patch' : r.path.split('/').at(-2)));
  const own = kinds.filter((kind, i) => kind !== 'patch' || requests[i].status !== 412);
  assert.match(own.join(), /^patch(,operationsStatus){2,},operationResults$/);
  assert.deepEqual(JSON.parse(requests[0].body), { properties: { keyVaultKeyUri: KEY } });
  assert.deepEqual([...new Set(requests.map((r) => r.query.split('&')[0]))], ['api-version=2025-04-15']);
  assert.ok(requests.every((r) => r.method === 'PATCH' || r.status === 200), 'the URLs of the operation came back unchanged');
  const times = requests.filter((r) => r.path.includes('/operationsStatus/')).map((r) => r.time);
  const least = early ? 1000 : 200; // from the second on: beginUpdate and pollUntilDone each ask at once
  for (let i = 2; i < times.length; i++) assert.ok(times[i] - times[i - 1] >= least - 50, `polls at ${times}`);
});

await check('sdk: an operation that fails shows its own code and message', async () => {
  const poller = await setKey('conformance-failing', KEY);
  const error = await errorOf(poller.pollUntilDone());
  assert.match(error.message, /InternalServerError/);
  assert.ok(error.message.includes(SCAN_FAILED), error.message);
  assert.equal((await accounts.get(GROUP, 'conformance-failing')).keyVaultKeyUri, undefined);
});
