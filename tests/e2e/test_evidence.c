/* The evidence for preflight and the grants, over the wire: what fake-azure says of vaults, roles, locks, metrics and
 * the Activity Log is read by the product's own client. */
#include "azure/activity.h"
#include "azure/credential.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/azure_port.h"
#include "controller/evidence.h"
#include "e2e/harness.h"

#include <string.h>

#define VAULT(name) GROUP_ID "/providers/Microsoft.KeyVault/vaults/" name
#define VAULT_BODY(name, more)                                                                                         \
    "{\"id\":\"" VAULT(name) "\",\"properties\":{\"tenantId\":\"" TENANT "\",\"vaultUri\":\"https://" name             \
                             ".vault.azure.net/\",\"enablePurgeProtection\":true" more "}}"
#define KEY_OF(name)                                                                                                   \
    "{\"id\":\"" VAULT(name) "/keys/k\",\"properties\":{\"kty\":\"RSA\",\"keyUri\":\"https://" name                    \
                             ".vault.azure.net:443/keys/k\"}}"

struct client {
    struct http_tls *tls;
    struct azure_cloud *cloud;
    struct azure_credential *credential;
    struct http_client *auth;
    struct authz_roles *roles;
    struct arm_client *arm;
};

static void client_open(struct client *c, struct world *w)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    const struct azure_cloud_options where = {.arm_endpoint = w->azure_url, .authority_host = w->azure_url};
    struct err err = ERR_INIT;

    *c = (struct client){.roles = authz_roles_new()};
    assert_int_equal(file_read(w->azure_ca, &pem, &err), 0);
    const struct http_tls_options trust = {.ca_pem = buf_str(&pem)};
    assert_int_equal(http_tls_new(&c->tls, &trust, &err), 0);
    assert_int_equal(azure_cloud_new(&c->cloud, &where, &err), 0);
    const struct azure_credential_options who = {
        .tenant_id = TENANT, .client_id = CLIENT, .client_secret = CLIENT_SECRET, .tls = c->tls};
    assert_int_equal(azure_credential_new(&c->credential, the_http(), c->cloud, &who, &err), 0);
    const struct http_token_source source = azure_credential_source(c->credential, c->cloud->arm_scope);
    c->auth = http_auth_new(the_http(), &source);
    const struct arm_options options = {.http = c->auth, .cloud = c->cloud, .tls = c->tls};
    assert_int_equal(arm_client_new(&c->arm, &options, &err), 0);
}

static void client_close(struct client *c)
{
    arm_client_free(c->arm);
    http_auth_free(c->auth);
    azure_credential_free(c->credential);
    azure_cloud_free(c->cloud);
    authz_roles_free(c->roles);
    (void)http_tls_unref(c->tls);
}

static void put(struct world *w, const char *resource)
{
    (void)json_free(azure_ask(w, "PUT", "/fake/resources", resource));
}

static void gather(struct client *c, const char *key_uri, struct cmk_evidence *ret)
{
    const struct evidence_options options = {.cloud = c->cloud, .roles = c->roles};
    _cleanup_(cmk_spec_done) struct cmk_spec spec = {
        .key_uri = xstrdup(key_uri), .default_identity = xstrdup(IDENTITY)};
    _cleanup_(cmk_account_done) struct cmk_account account = {0};
    struct azure_port_context context = {.client = c->arm};
    struct azure_port port = azure_port_make(&context);
    struct err err = ERR_INIT;

    if (port.read_account(port.ctx, ACCOUNT_ID("demo-orders"), &account, &err) < 0 ||
        evidence_gather(c->arm, &options, ACCOUNT_ID("demo-orders"), &spec, &account, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static int grant(struct client *c, const char *key_uri)
{
    const struct evidence_options options = {.cloud = c->cloud, .roles = c->roles};
    _cleanup_(cmk_spec_done) struct cmk_spec spec = {
        .key_uri = xstrdup(key_uri), .default_identity = xstrdup(IDENTITY)};
    const struct cmk_account account = {0};
    struct err err = ERR_INIT;
    int r = evidence_grant(c->arm, &options, ACCOUNT_ID("demo-orders"), &spec, &account, &err);

    if (r < 0)
        fail_msg("%s", err.msg);
    return r;
}

/* Access is missing, is granted, is there, and is not granted again. */
static void granted_once(struct world *w, const char *key_uri)
{
    _cleanup_(client_close) struct client c;
    _cleanup_(cmk_evidence_done) struct cmk_evidence before, after;

    client_open(&c, w);
    gather(&c, key_uri, &before);
    assert_int_equal(before.vault.seen, CMK_SEEN);
    assert_int_equal(before.key.seen, CMK_SEEN);
    assert_string_equal(before.key.type, "RSA");
    assert_int_equal(before.access.seen, CMK_SEEN);
    assert_string_equal(before.access.principal_id, "00000000-0000-0000-0000-0000000000c1");
    assert_false(before.access.wrap);
    assert_int_equal(grant(&c, key_uri), 1);
    gather(&c, key_uri, &after);
    assert_true(after.access.get && after.access.wrap && after.access.unwrap);
    assert_int_equal(grant(&c, key_uri), 0);
    assert_int_equal(azure_count(w, "PUT", NULL), 1);
}

static void access_by_policy(struct world *w)
{
    azure_start(w, NULL);
    put(w, VAULT_BODY("by-policy", ""));
    put(w, KEY_OF("by-policy"));
    granted_once(w, "https://by-policy.vault.azure.net/keys/k");
}

static void access_by_role(struct world *w)
{
    azure_start(w, NULL);
    put(w, VAULT_BODY("by-role", ",\"enableRbacAuthorization\":true"));
    put(w, KEY_OF("by-role"));
    granted_once(w, "https://by-role.vault.azure.net/keys/k");
}

static void a_managed_hsm(struct world *w)
{
    static const char key[] = "https://demo-hsm.managedhsm.azure.net/keys/k";
    _cleanup_(client_close) struct client c;
    _cleanup_(cmk_evidence_done) struct cmk_evidence e;

    azure_start(w, NULL);
    put(w, "{\"id\":\"" GROUP_ID
           "/providers/Microsoft.KeyVault/managedHSMs/demo-hsm\",\"properties\":{\"tenantId\":\"" TENANT
           "\",\"hsmUri\":\"https://demo-hsm.managedhsm.azure.net/\",\"enablePurgeProtection\":true}}");
    client_open(&c, w);
    gather(&c, key, &e);
    assert_int_equal(e.vault.seen, CMK_SEEN);
    assert_true(e.vault.managed_hsm);
    assert_int_equal(e.access.seen, CMK_UNSEEN); /* it is not ARM's to show */
}

static void what_is_around_the_account(struct world *w)
{
    _cleanup_(client_close) struct client c;
    _cleanup_(cmk_evidence_done) struct cmk_evidence before, after;

    azure_start(w, NULL);
    client_open(&c, w);
    gather(&c, "https://nowhere.vault.azure.net/keys/k", &before);
    assert_int_equal(before.vault.seen, CMK_ABSENT);
    assert_int_equal(before.lock.seen, CMK_ABSENT);
    assert_int_equal(before.throughput.seen, CMK_ABSENT);
    put(w, "{\"id\":\"" GROUP_ID
           "/providers/Microsoft.Authorization/locks/freeze\",\"properties\":{\"level\":\"ReadOnly\"}}");
    put(w, "{\"id\":\"" ACCOUNT_ID("demo-ledger") "/providers/Microsoft.Authorization/locks/other\",\"properties\":{"
                                                  "\"level\":\"ReadOnly\"}}");
    put(w, "{\"id\":\"" ACCOUNT_ID("demo-orders") "/providers/microsoft.insights/metrics/NormalizedRUConsumption\","
                                                  "\"properties\":{\"containers\":{\"idle\":null,\"baskets\":83.5}}}");
    gather(&c, "https://nowhere.vault.azure.net/keys/k", &after);
    assert_string_equal(after.lock.name, "freeze");
    assert_string_equal(after.lock.scope, GROUP_ID);
    assert_int_equal(after.throughput.max_percent, 84);
    assert_string_equal(after.throughput.container, "baskets");
}

static void a_missing_right(struct world *w)
{
    _cleanup_(client_close) struct client c;
    _cleanup_(cmk_evidence_done) struct cmk_evidence e;

    azure_start(w, NULL);
    put(w, VAULT_BODY("by-role", ",\"enableRbacAuthorization\":true"));
    azure_fault(w, "{\"match\":{\"pathContains\":\"roleAssignments\",\"count\":0},\"action\":{\"status\":403,\"body\":"
                   "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"The client has no authorization.\"}}}}");
    client_open(&c, w);
    gather(&c, "https://by-role.vault.azure.net/keys/k", &e);
    assert_int_equal(e.key.seen, CMK_ABSENT);
    assert_int_equal(e.access.seen, CMK_UNSEEN);
    assert_non_null(strstr(e.access.error.msg, "Microsoft.Authorization/roleAssignments/read at " VAULT("by-role")));
}

static void who_changes_the_account(struct world *w)
{
    static const char start[] = "{\"properties\":{\"enableBurstCapacity\":true}}";
    _cleanup_(client_close) struct client c;
    _cleanup_(arm_id_done) struct arm_id id = {0};
    _cleanup_(activity_done) struct activity activity;
    int64_t now = clock_wall_ms(), minute = 60000;
    struct err err = ERR_INIT;

    azure_start(w, NULL);
    client_open(&c, w);
    (void)json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/start", start));
    assert_int_equal(arm_id_parse(&id, ACCOUNT_ID("demo-orders"), &err), 0);
    if (activity_find_running(c.arm, &id, now - 60 * minute, now + minute, &activity, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(activity.caller, "somebody@contoso.com");
    assert_string_equal(activity.operation, "Microsoft.DocumentDB/databaseAccounts/write");
    assert_true(activity.started_at >= now - minute);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"an access policy is granted once", access_by_policy, .no_crash = "no controller takes part"},
        {"a role is granted once", access_by_role, .no_crash = "no controller takes part"},
        {"a managed HSM is found by the host of its key", a_managed_hsm, .no_crash = "no controller takes part"},
        {"a lock on the group and a busy container are seen, those of others are not", what_is_around_the_account,
            .no_crash = "no controller takes part"},
        {"a right that is missing is named, and the rest is seen", a_missing_right,
            .no_crash = "no controller takes part"},
        {"who changes the account is in the Activity Log", who_changes_the_account,
            .no_crash = "no controller takes part"},
    };

    return run_scenes("evidence", scenes, ARRAY_LEN(scenes));
}
