// What the programs here share: where the fake is, its journal, and checks that print "ok - NAME" or "not ok - NAME: WHY".
import assert from 'node:assert/strict';

export const url = process.env.AZURE_URL;
export const tenant = process.env.AZURE_TENANT;
export const subscription = process.env.AZURE_SUBSCRIPTION;
export const client = process.env.AZURE_CLIENT;
export const secret = process.env.AZURE_SECRET;
export const variant = process.argv[2];

export async function check(name, body) {
  try {
    await body();
    console.log(`ok - ${name}`);
  } catch (error) {
    console.log(`not ok - ${name}: ${String(error.stack).slice(0, 3000).replaceAll('\n', ' ')}`);
    process.exitCode = 1;
  }
}

/** The error that the promise ends with; it is a failure when there is none. */
export async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('it succeeded');
}

export async function ask(method, path, body) {
  const answer = await fetch(url + path, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

export const journal = () => ask('GET', '/fake/requests');
export const forget = () => ask('DELETE', '/fake/requests');

export async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}
