/* Who may read an account's data: keys and signatures, tokens and the account's own roles.
 *
 * Keys are derived from the run's secret and the account's name. Texts of refusals are those that clients have
 * reported; where none is known the text says that it is the fake's own. */
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_SKEW_MS (15 * 60 * 1000LL)
#define KEY_BYTES 64

/* In the order in which ARM names them; the last two only read. */
static const char *const key_names[] = {
    "primaryMasterKey", "secondaryMasterKey", "primaryReadonlyMasterKey", "secondaryReadonlyMasterKey"};

static void raw_key(struct azure_request *r, const struct azure_account *account, size_t i, char ret[DIGEST_HEX_SIZE])
{
    _cleanup_(freep) char *text = xasprintf("%s %s of %s", r->azure->model->secret, key_names[i], account->name);

    digest_sha256_hex(text, strlen(text), ret);
}

void azure_account_keys(struct azure_request *r, const struct azure_account *account, bool read_only)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    char raw[DIGEST_HEX_SIZE], base64[KEY_BYTES * 2];

    if (!account)
        return;
    for (size_t i = read_only ? 2 : 0; i < ARRAY_LEN(key_names); i++) {
        raw_key(r, account, i, raw);
        (void)EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)raw, KEY_BYTES);
        json_add_string(tree, key_names[i], base64);
    }
    fake_reply_json(r->reply, 200, tree);
}

/* ---- Signatures ---- */

static bool is_signed_with(
    struct azure_request *r, const struct azure_account *account, size_t key, const char *text, const char *signature)
{
    char raw[DIGEST_HEX_SIZE], base64[EVP_MAX_MD_SIZE * 2];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    raw_key(r, account, key, raw);
    if (!HMAC(EVP_sha256(), raw, KEY_BYTES, (const unsigned char *)text, strlen(text), mac, &n))
        return false;
    (void)EVP_EncodeBlock((unsigned char *)base64, mac, (int)n);
    return str_eq(base64, signature);
}

static bool is_signed(struct azure_request *r, const struct azure_account *account, const char *type, const char *link,
    const char *signature)
{
    const char *date = httpd_request_header(r->exchange, "x-ms-date");
    _cleanup_(freep) char *verb = str_lower(xstrdup(r->http->method)), *when = str_lower(xstrdup(date ? date : ""));
    _cleanup_(freep) char *text = xasprintf("%s\n%s\n%s\n%s\n\n", verb, type, link, when);

    for (size_t i = 0; i < ARRAY_LEN(key_names); i++)
        if (is_signed_with(r, account, i, text, signature))
            return true;
    return false;
}

static bool local_auth_disabled(const struct azure_account *account)
{
    return json_bool_at(account->extra, "disableLocalAuth", false);
}

static bool by_key(struct azure_request *r, const struct azure_account *account, const char *type, const char *link,
    const char *signature)
{
    if (local_auth_disabled(account))
        azure_gateway_error(r, 401, 5202, "Unauthorized", false,
            "Local Authorization is disabled. Use an AAD token to authorize all requests.");
    else if (!is_signed(r, account, type, link, signature))
        azure_gateway_error(r, 401, 0, "Unauthorized", false,
            "The input authorization token can't serve the request. The wrong key is being used or the expected "
            "payload is not built as per the protocol.");
    else
        return true;
    return false;
}

/* ---- Tokens ---- */

static bool has_roles(const struct azure_account *account)
{
    return !str_eq_nocase(account->kind, "MongoDB") && !azure_account_has(account, "EnableGremlin") &&
           !azure_account_has(account, "EnableTable") && !azure_account_has(account, "EnableCassandra");
}

static bool by_token(struct azure_request *r, const struct azure_account *account, const char *token)
{
    const char *colon = strrchr(r->azure->base_url, ':');
    _cleanup_(freep) char *host = xstrndup(r->azure->base_url, (size_t)(colon - r->azure->base_url));
    _cleanup_(freep) char *real = xasprintf("https://%s.documents.azure.com", account->name);
    _cleanup_(freep) char *endpoint = xasprintf("%s/cosmos/%s", r->azure->base_url, account->name); /* @azure/cosmos */
    const char *const audiences[] = {"https://cosmos.azure.com", host, r->azure->base_url, real, endpoint};
    _cleanup_(freep) char *client = azure_token_client(r, token, audiences, ARRAY_LEN(audiences));
    _cleanup_(buf_done) struct buf text = BUF_INIT(4096);
    char object_id[AZURE_GUID_SIZE];

    if (!client) {
        azure_gateway_error(
            r, 401, 0, "Unauthorized", false, "The access token is not valid for this account (text of fake-azure).");
        return false;
    }
    if (has_roles(account) && azure_data_may_read(account->data, client))
        return true;
    azure_model_guid(r->azure->model, client, object_id);
    if (!has_roles(account))
        buf_printf(&text,
            "Request blocked by Auth %s : The given request [%s %s] cannot be authorized by AAD token in data plane. "
            "Learn more: https://aka.ms/cosmos-native-rbac.",
            account->name, r->http->method, r->http->path);
    else
        buf_printf(&text,
            "Request blocked by Auth %s : Request is blocked because principal [%s] does not have required RBAC "
            "permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource [/]. Learn "
            "more: https://aka.ms/cosmos-native-rbac.",
            account->name, object_id);
    azure_gateway_error(r, 403, has_roles(account) ? 5301 : 5300, "Forbidden", false, buf_str(&text));
    return false;
}

/* ---- The header ---- */

/* A token needs no date (@azure/cosmos sends none with it), a signature is about one. */
static bool has_good_date(struct azure_request *r, bool wanted)
{
    const char *date = httpd_request_header(r->exchange, "x-ms-date");
    int64_t ms = 0;

    if (!date && !wanted)
        return true;
    if (!date) {
        azure_gateway_error(r, 401, 0, "Unauthorized", false, "Required Header x-ms-date is missing.");
        return false;
    }
    if (time_parse_http_date(date, &ms) && ms > r->now_ms - CLOCK_SKEW_MS && ms < r->now_ms + CLOCK_SKEW_MS)
        return true;
    azure_gateway_error(r, 403, 0, "Forbidden", false,
        "The authorization token is not valid at the current time. Please create another token and retry.");
    return false;
}

/* As a value in a query, but that + and & stand for themselves. */
char *azure_gateway_decoded(const char *text)
{
    _cleanup_(buf_done) struct buf query = BUF_INIT(65536);
    char *decoded = xcalloc(strlen(text) + 1, 1);

    buf_puts(&query, "v=");
    for (const char *p = text; *p; p++)
        if (*p == '+' || *p == '&')
            buf_printf(&query, "%%%02X", (unsigned)*p);
        else
            buf_putc(&query, *p);
    const struct httpd_request as_query = {.query = buf_str(&query)};
    (void)httpd_query(&as_query, "v", decoded, strlen(text) + 1);
    return decoded;
}

bool azure_gateway_authorize(
    struct azure_request *r, const struct azure_account *account, const char *type, const char *link)
{
    static const char master[] = "type=master&ver=1.0&sig=", aad[] = "type=aad&ver=1.0&sig=";
    const char *header = httpd_request_header(r->exchange, "authorization");

    if (str_empty(header)) {
        azure_gateway_error(r, 401, 0, "Unauthorized", false,
            "Required Header authorization is missing. Ensure a valid Authorization token is passed.");
        return false;
    }
    _cleanup_(freep) char *text = azure_gateway_decoded(header);
    if (!has_good_date(r, !str_has_prefix(text, aad)))
        return false;
    if (str_has_prefix(text, master))
        return by_key(r, account, type, link, text + strlen(master));
    if (str_has_prefix(text, aad))
        return by_token(r, account, text + strlen(aad));
    azure_gateway_error(r, 401, 0, "Unauthorized", false,
        "Authorization header doesn't confirm to the required format. Please verify and try again.");
    return false;
}
