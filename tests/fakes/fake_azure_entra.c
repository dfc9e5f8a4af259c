/* The token endpoint of Entra ID, and what it takes for a token to be good.
 *
 * A token looks like a real one (a JWT that names issuer, audience, application and expiry) and is verified by deriving
 * its signature again, so nothing is stored. Client assertions are the business of fake_azure_assertion.c. */
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define FORM_VALUE_MAX 16384
#define TOKEN_MAX 8192

/* ---- Tokens ---- */

static void put_signature(const struct fake_azure *azure, const char *input, size_t len, struct buf *b)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(TOKEN_MAX);
    char hex[DIGEST_HEX_SIZE];

    buf_printf(&text, "%s ", azure->token_secret);
    buf_add(&text, input, len);
    digest_sha256_hex(text.data, text.len, hex);
    azure_put_base64url(b, hex, strlen(hex));
}

void azure_put_token(struct azure_request *r, const char *audience, const char *client_id, struct buf *b)
{
    static const char header[] = "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"fake-azure\"}";
    struct fake_azure *azure = r->azure;
    _cleanup_(buf_done) struct buf claims = BUF_INIT(TOKEN_MAX);
    char object_id[AZURE_GUID_SIZE], uti[AZURE_GUID_SIZE];
    int64_t end_ms = r->now_ms + azure->token_ms;

    azure_model_guid(azure->model, client_id, object_id);
    azure_model_guid(azure->model, NULL, uti);
    buf_puts(&claims, "{\"aud\":");
    buf_put_json_string(&claims, audience, strlen(audience));
    buf_printf(&claims,
        ",\"iss\":\"https://sts.windows.net/%s/\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld,\"fake_iat_ms\":%lld,"
        "\"fake_exp_ms\":%lld,\"appid\":",
        azure->tenant, (long long)(r->now_ms / 1000), (long long)(r->now_ms / 1000), (long long)(end_ms / 1000),
        (long long)r->now_ms, (long long)end_ms);
    buf_put_json_string(&claims, client_id, strlen(client_id));
    buf_printf(&claims,
        ",\"idtyp\":\"app\",\"oid\":\"%s\",\"sub\":\"%s\",\"tid\":\"%s\",\"uti\":\"%s\",\"ver\":\"1.0\"}", object_id,
        object_id, azure->tenant, uti);
    azure_put_base64url(b, header, strlen(header));
    buf_putc(b, '.');
    azure_put_base64url(b, claims.data, claims.len);
    size_t signed_len = b->len;
    buf_putc(b, '.');
    put_signature(azure, b->data, signed_len, b);
}

/* The claims of a token of ours, or NULL. */
static cJSON *verified_claims(const struct fake_azure *azure, const char *token)
{
    const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    _cleanup_(buf_done) struct buf signature = BUF_INIT(256);
    struct err ignored = ERR_INIT;
    cJSON *claims = NULL;

    if (!second || strlen(token) > TOKEN_MAX / 2)
        return NULL;
    put_signature(azure, token, (size_t)(second - token), &signature);
    if (!str_eq(second + 1, buf_str(&signature)))
        return NULL;
    _cleanup_(freep) char *text = azure_base64url_decode(first + 1, (size_t)(second - first - 1));
    if (!text || json_parse(&claims, text, strlen(text), &ignored) < 0)
        return NULL;
    return claims;
}

/* "11/24/2025 11:31:00 PM" */
static void format_us(int64_t wall_ms, char *ret, size_t size)
{
    int64_t seconds = wall_ms / 1000, day = seconds / 86400, year;
    int month, mday, hour = (int)(seconds % 86400 / 3600);

    time_civil_from_days(day, &year, &month, &mday);
    (void)snprintf(ret, size, "%d/%d/%lld %d:%02d:%02d %s", month, mday, (long long)year, (hour + 11) % 12 + 1,
        (int)(seconds / 60 % 60), (int)(seconds % 60), hour < 12 ? "AM" : "PM");
}

static bool unauthorized(struct azure_request *r, const char *code, const char *error, const char *message)
{
    azure_front_door_error(r, 401, code, "%s", message);
    fake_reply_header(r->reply, "www-authenticate",
        "Bearer authorization_uri=\"https://login.windows.net/%s\", error=\"%s\", error_description=\"%s\"",
        r->azure->tenant, error, message);
    return false;
}

static bool audience_fits(const struct fake_azure *azure, const char *audience)
{
    static const char *const real[] = {"https://management.azure.com", "https://management.core.windows.net"};

    if (!audience)
        return false;
    size_t n = strlen(audience);
    while (n > 0 && audience[n - 1] == '/')
        n--;
    for (size_t i = 0; i < ARRAY_LEN(real); i++)
        if (strlen(real[i]) == n && strncmp(audience, real[i], n) == 0)
            return true;
    const char *port = strrchr(azure->base_url, ':');
    _cleanup_(freep) char *localhost = xasprintf("https://localhost%s", port);
    return (strlen(azure->base_url) == n && strncmp(audience, azure->base_url, n) == 0) ||
           (strlen(localhost) == n && strncmp(audience, localhost, n) == 0);
}

bool azure_authenticate(struct azure_request *r)
{
    const char *header = httpd_request_header(r->exchange, "authorization");
    int64_t issued_ms = 0, end_ms = 0;

    if (str_empty(header))
        return unauthorized(r, "AuthenticationFailed", "invalid_token",
            "Authentication failed. The 'Authorization' header is missing.");
    if (!str_has_prefix_nocase(header, "Bearer "))
        return unauthorized(r, "AuthenticationFailedInvalidHeader", "invalid_token",
            "Authentication failed. The 'Authorization' header is provided in an invalid format.");
    _cleanup_(json_freep) cJSON *claims = verified_claims(r->azure, header + strlen("Bearer "));
    if (!claims || !json_int(json_at(claims, "fake_iat_ms"), false, &issued_ms) ||
        !json_int(json_at(claims, "fake_exp_ms"), false, &end_ms) || issued_ms < r->azure->tokens_valid_from_ms)
        return unauthorized(r, "InvalidAuthenticationToken", "invalid_token", "The access token is invalid.");
    const char *audience = json_string_at(claims, "aud");
    if (!audience_fits(r->azure, audience)) {
        _cleanup_(freep) char *message =
            xasprintf("The access token has been obtained for wrong audience or resource '%s'. It should exactly match "
                      "with one of the allowed audiences 'https://management.core.windows.net/','%s'.",
                audience, r->azure->base_url);
        return unauthorized(r, "InvalidAuthenticationTokenAudience", "invalid_token", message);
    }
    const char *application = json_string_at(claims, "appid");
    (void)str_copy(r->caller, sizeof(r->caller), application ? application : "");
    if (end_ms > r->now_ms)
        return true;
    char end[40], now[40];
    format_us(end_ms, end, sizeof(end));
    format_us(r->now_ms, now, sizeof(now));
    _cleanup_(freep) char *message =
        xasprintf("The access token expiry UTC time '%s' is earlier than current UTC time '%s'.", end, now);
    return unauthorized(r, "ExpiredAuthenticationToken", "invalid_token", message);
}

char *azure_token_client(struct azure_request *r, const char *token, const char *const *audiences, size_t n)
{
    _cleanup_(json_freep) cJSON *claims = verified_claims(r->azure, token);
    const char *audience = json_string_at(claims, "aud");
    int64_t issued_ms = 0, end_ms = 0;

    if (!claims || !json_int(json_at(claims, "fake_iat_ms"), false, &issued_ms) ||
        !json_int(json_at(claims, "fake_exp_ms"), false, &end_ms) || issued_ms < r->azure->tokens_valid_from_ms ||
        end_ms <= r->now_ms)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (str_eq(audience, audiences[i]))
            return xstrdup(json_string_at(claims, "appid"));
    return NULL;
}

/* ---- The endpoint ---- */

bool azure_refuse_token(struct azure_request *r, int status, const char *error, int64_t aad_code, const char *text)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    char stamp[TIME_TEXT_SIZE], trace[AZURE_GUID_SIZE];

    azure_model_guid(r->azure->model, NULL, trace);
    time_format_rfc3339(r->now_ms, stamp);
    stamp[10] = ' ';
    _cleanup_(freep) char *description = xasprintf("AADSTS%lld: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
        (long long)aad_code, text, trace, r->request_id, stamp);
    json_add_string(tree, "error", error);
    json_add_string(tree, "error_description", description);
    cJSON_AddItemToArray(json_add_array(tree, "error_codes"), cJSON_CreateNumber((double)aad_code));
    json_add_string(tree, "timestamp", stamp);
    json_add_string(tree, "trace_id", trace);
    json_add_string(tree, "correlation_id", r->request_id);
    fake_reply_json(r->reply, status, tree);
    fake_reply_header(r->reply, "content-type", "application/json; charset=utf-8");
    return false;
}

struct form {
    char grant_type[64], client_id[128], secret[1024], assertion_type[128], scope[1024];
    char assertion[FORM_VALUE_MAX];
};

static void read_form(const struct httpd_request *http, struct form *form)
{
    const struct httpd_request as_query = {.query = http->body};

    *form = (struct form){0};
    (void)httpd_query(&as_query, "grant_type", form->grant_type, sizeof(form->grant_type));
    (void)httpd_query(&as_query, "client_id", form->client_id, sizeof(form->client_id));
    (void)httpd_query(&as_query, "client_secret", form->secret, sizeof(form->secret));
    (void)httpd_query(&as_query, "client_assertion_type", form->assertion_type, sizeof(form->assertion_type));
    (void)httpd_query(&as_query, "client_assertion", form->assertion, sizeof(form->assertion));
    /* The older shape, which ADFS has, names a resource instead of a scope. */
    if (!httpd_query(&as_query, "scope", form->scope, sizeof(form->scope)))
        (void)httpd_query(&as_query, "resource", form->scope, sizeof(form->scope));
}

static bool check_credential(struct azure_request *r, const struct form *form)
{
    const struct fake_azure *azure = r->azure;

    if (form->assertion[0])
        return azure_check_assertion(r, form->assertion_type, form->assertion, form->client_id);
    if (!form->secret[0]) {
        return azure_refuse_token(r, 401, "invalid_client", 7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.");
    }
    if (azure->client_secret && !str_eq(form->secret, azure->client_secret)) {
        return azure_refuse_token(r, 401, "invalid_client", 7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            "not the client secret ID, for a secret added to the app.");
    }
    return true;
}

static bool check_form(struct azure_request *r, const struct form *form, bool adfs)
{
    const struct fake_azure *azure = r->azure;
    _cleanup_(buf_done) struct buf text = BUF_INIT(4096);

    if (!adfs && !str_eq_nocase(r->segments[0], azure->tenant)) {
        buf_printf(&text, "Tenant '%s' not found. Check to make sure you have the correct tenant ID.", r->segments[0]);
        (void)azure_refuse_token(r, 400, "invalid_request", 90002, buf_str(&text));
    } else if (!str_eq(form->grant_type, "client_credentials")) {
        (void)azure_refuse_token(
            r, 400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
    } else if (str_empty(form->client_id) || (azure->client_id && !str_eq_nocase(form->client_id, azure->client_id))) {
        buf_printf(&text, "Application with identifier '%s' was not found in the directory '%s'.", form->client_id,
            azure->tenant);
        (void)azure_refuse_token(r, 400, "unauthorized_client", 700016, buf_str(&text));
    } else if (str_empty(form->scope) || (!adfs && !str_has_suffix_nocase(form->scope, "/.default"))) {
        buf_printf(&text,
            "The provided request must include a 'scope' input parameter that ends in /.default; '%s' "
            "does not.",
            form->scope);
        (void)azure_refuse_token(r, 400, "invalid_scope", 70011, buf_str(&text));
    } else {
        return check_credential(r, form);
    }
    return false;
}

/* MSAL for Go asks for these beside the resource's scope in every flow, and Entra passes over them where there is
 * nobody who signs in (AzureAD/microsoft-authentication-library-for-go, authority.AppendDefaultScopes). */
static bool is_about_people(const char *word)
{
    return str_eq(word, "openid") || str_eq(word, "offline_access") || str_eq(word, "profile");
}

static void keep_scopes_of_resources(char *scope)
{
    char *save = NULL, *to = scope;

    for (char *word = strtok_r(scope, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        size_t n = strlen(word);
        if (is_about_people(word))
            continue;
        if (to != scope)
            *to++ = ' ';
        memmove(to, word, n);
        to += n;
    }
    *to = '\0';
}

static void issue(struct azure_request *r, bool adfs)
{
    _cleanup_(freep) struct form *form = xmalloc(sizeof(*form));
    _cleanup_(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);

    read_form(r->http, form);
    keep_scopes_of_resources(form->scope);
    if (!check_form(r, form, adfs))
        return;
    size_t n = strlen(form->scope);
    if (str_has_suffix_nocase(form->scope, "/.default"))
        form->scope[n - strlen("/.default")] = '\0';
    azure_put_token(r, form->scope, form->client_id, &token);
    r->reply->status = 200;
    buf_printf(&r->reply->body,
        "{\"token_type\":\"Bearer\",\"expires_in\":%lld,\"ext_expires_in\":%lld,\"access_token\":\"%s\"}",
        (long long)((r->azure->token_ms + 999) / 1000), (long long)((r->azure->token_ms + 999) / 1000),
        buf_str(&token));
    fake_reply_header(r->reply, "content-type", "application/json; charset=utf-8");
    fake_reply_header(r->reply, "cache-control", "no-store, no-cache");
}

static void describe(struct azure_request *r, const char *token_path)
{
    const char *base = r->azure->base_url, *first = r->segments[0];

    r->reply->status = 200;
    fake_reply_header(r->reply, "content-type", "application/json");
    buf_printf(&r->reply->body,
        "{\"issuer\":\"%s/%s\",\"token_endpoint\":\"%s/%s%s\",\"authorization_endpoint\":\"%s/%s/oauth2/v2.0/"
        "authorize\","
        "\"jwks_uri\":\"%s/%s/discovery/keys\",\"response_types_supported\":[\"code\"],"
        "\"subject_types_supported\":[\"pairwise\"],\"id_token_signing_alg_values_supported\":[\"RS256\"],"
        "\"token_endpoint_auth_methods_supported\":[\"client_secret_post\",\"private_key_jwt\"]}",
        base, first, base, first, token_path, base, first, base, first);
}

bool azure_entra(struct azure_request *r, struct fake_call *call)
{
    bool post = str_eq(r->http->method, "POST"), get = str_eq(r->http->method, "GET");
    bool adfs = azure_path_is(r, "adfs/oauth2/token");

    if (post && (adfs || azure_path_is(r, "*/oauth2/v2.0/token"))) {
        fake_call_hide_body(call, "(a request for a token)");
        azure_model_guid(r->azure->model, NULL, r->request_id);
        fake_reply_header(r->reply, "x-ms-request-id", "%s", r->request_id);
        issue(r, adfs);
    } else if (get && azure_path_is(r, "adfs/.well-known/openid-configuration")) {
        describe(r, "/oauth2/token");
    } else if (get && azure_path_is(r, "*/v2.0/.well-known/openid-configuration")) {
        describe(r, "/oauth2/v2.0/token");
    } else {
        return false;
    }
    return true;
}
