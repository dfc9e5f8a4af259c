/* The kinds of credentials: what each needs, and how each comes to a token. */
#include "azure/credential_private.h"

#include "azure/az_cli.h"
#include "azure/certificate.h"
#include "azure/entra.h"
#include "azure/imds.h"
#include "azure/token_answer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define ASSERTION_MAX ((size_t)64 * 1024)

/* --- what is missing --- */

/* It becomes a part of a URL's path: a GUID or a domain name. */
static bool is_tenant(const char *s)
{
    for (const char *p = s; *p; p++)
        if (!ascii_isalnum(*p) && *p != '.' && *p != '-')
            return false;
    return strlen(s) <= 253 && s[0] != '.' && s[0] != '-';
}

/* "A, B and C are not set" of those that are not. */
static int check_set(const struct azure_credential *credential, const char *name, bool has_it, struct err *err)
{
    const struct {
        const char *name;
        bool set;
    } settings[] = {
        {"AZURE_TENANT_ID", credential->tenant_id}, {"AZURE_CLIENT_ID", credential->client_id}, {name, has_it}};
    _cleanup_(buf_done) struct buf missing = BUF_INIT(256);
    size_t n = 0, left = 0;

    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        left += !settings[i].set;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (!settings[i].set) {
            n++;
            buf_printf(&missing, "%s%s", n == 1 ? "" : n == left ? " and " : ", ", settings[i].name);
        }
    if (n > 0)
        return err_set(err, ERR_INVALID, "%s %s not set", buf_str(&missing), n == 1 ? "is" : "are");
    if (!is_tenant(credential->tenant_id))
        return err_set(err, ERR_INVALID, "AZURE_TENANT_ID must be a GUID or a domain name");
    return 0;
}

/* --- Entra ID: a secret, or an assertion in its place --- */

static int exchange(const struct azure_credential *credential, const char *scope, const struct secret *proof,
    bool is_assertion, struct secret **ret, int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    const struct entra_request request = {
        .http = credential->http,
        .tls = credential->tls,
        .proxy = credential->proxy,
        .cancel = cancel,
        .authority_host = credential->cloud->authority_host,
        .tenant_id = credential->tenant_id,
        .client_id = credential->client_id,
        .scope = scope,
        .credential = proof,
        .is_assertion = is_assertion,
    };

    return entra_token(&request, ret, ret_ms, err);
}

static int check_secret(const struct azure_credential *credential, bool asked_for _unused_,
    struct http_cancel *cancel _unused_, struct err *err)
{
    return check_set(credential, "AZURE_CLIENT_SECRET", credential->client_secret, err);
}

static int secret_token(struct azure_credential *credential, const char *scope, struct secret **ret, int64_t *ret_ms,
    struct http_cancel *cancel, struct err *err)
{
    return exchange(credential, scope, credential->client_secret, false, ret, ret_ms, cancel, err);
}

/* --- a certificate --- */

static int load(const struct azure_credential *credential, struct certificate **ret, struct err *err)
{
    if (certificate_load(ret, credential->certificate_path, credential->certificate_password, clock_wall_ms(), err) < 0)
        return err_wrap(err, "cannot use the client certificate (AZURE_CLIENT_CERTIFICATE_PATH)");
    return 0;
}

static int check_certificate(const struct azure_credential *credential, bool asked_for _unused_,
    struct http_cancel *cancel _unused_, struct err *err)
{
    _cleanup_(certificate_freep) struct certificate *certificate = NULL;

    if (check_set(credential, "AZURE_CLIENT_CERTIFICATE_PATH", credential->certificate_path, err) < 0)
        return -1;
    return load(credential, &certificate, err);
}

static int exchange_assertion(struct azure_credential *credential, const struct certificate *certificate,
    enum assertion_algorithm algorithm, const char *scope, struct secret **ret, int64_t *ret_ms,
    struct http_cancel *cancel, struct err *err)
{
    _cleanup_(freep) char *url = entra_token_url(credential->cloud->authority_host, credential->tenant_id);
    _cleanup_(secret_unrefp) struct secret *assertion = NULL;

    if (certificate_assertion(certificate, algorithm, url, credential->client_id, clock_wall_ms(), &assertion, err) < 0)
        return -1;
    return exchange(credential, scope, assertion, true, ret, ret_ms, cancel, err);
}

/* Is RS256 worth a try? AADSTS5002738 is what Entra says of an algorithm that it does not take ("Invalid JWT token. '…'
 * is not a supported signature algorithm", on public record for ES256 and others; it takes PS256 itself, but not every
 * service with its interface does). AADSTS700027, "Client assertion contains an invalid signature", is what a service
 * may say that does not know x5t#S256. Any other refusal has nothing to do with the algorithm. */
static bool may_be_the_algorithm(const struct err *err)
{
    return err->kind == ERR_UNAUTHORIZED && (str_eq(err->code, "AADSTS5002738") || str_eq(err->code, "AADSTS700027"));
}

/* The file is read each time, so that a renewed certificate serves at the next token. */
static int certificate_token(struct azure_credential *credential, const char *scope, struct secret **ret,
    int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    _cleanup_(certificate_freep) struct certificate *certificate = NULL;
    bool needs_rs256 = atomic_load(&credential->needs_rs256);

    if (load(credential, &certificate, err) < 0)
        return -1;
    if (!needs_rs256) {
        int r = exchange_assertion(credential, certificate, ASSERTION_PS256, scope, ret, ret_ms, cancel, err);
        if (r == 0 || !may_be_the_algorithm(err))
            return r;
    }
    if (exchange_assertion(credential, certificate, ASSERTION_RS256, scope, ret, ret_ms, cancel, err) < 0)
        return -1;
    atomic_store(&credential->needs_rs256, true);
    return 0;
}

/* --- workload identity --- */

static int read_assertion(const char *path, struct buf *file, struct secret **ret, struct err *err)
{
    if (file_read(path, file, err) < 0)
        return -1;
    const char *text = buf_str(file);
    while (file->len && strchr(" \t\r\n", text[file->len - 1]))
        file->len--;
    if (file->len == 0)
        return err_set(err, ERR_INVALID, "%s is empty", path);
    for (size_t i = 0; i < file->len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return err_set(err, ERR_INVALID, "%s holds something that is not a token", path);
    *ret = secret_new(text, file->len);
    return 0;
}

static int check_workload_identity(const struct azure_credential *credential, bool asked_for _unused_,
    struct http_cancel *cancel _unused_, struct err *err)
{
    return check_set(credential, "AZURE_FEDERATED_TOKEN_FILE", credential->federated_token_file, err);
}

/* The kubelet replaces the file long before its token expires, so it is read again for each exchange. */
static int workload_identity_token(struct azure_credential *credential, const char *scope, struct secret **ret,
    int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    _cleanup_(token_buf_wipe) struct buf file = token_buf(ASSERTION_MAX);
    _cleanup_(secret_unrefp) struct secret *assertion = NULL;

    if (read_assertion(credential->federated_token_file, &file, &assertion, err) < 0) {
        err->kind = ERR_UNAUTHORIZED;
        return err_wrap(err, "cannot use the federated token (AZURE_FEDERATED_TOKEN_FILE)");
    }
    return exchange(credential, scope, assertion, true, ret, ret_ms, cancel, err);
}

/* --- managed identity --- */

static struct imds_request imds_request_of(
    const struct azure_credential *credential, const char *scope, struct http_cancel *cancel)
{
    return (struct imds_request){.http = credential->http,
        .cancel = cancel,
        .endpoint = credential->imds_endpoint,
        .scope = scope,
        .client_id = credential->identity_client_id,
        .resource_id = credential->identity_resource_id,
        .wait = http_cancel_wait};
}

/* A machine that has just started may not answer yet; who asked for this kind has to know that it is there. */
static int check_managed_identity(
    const struct azure_credential *credential, bool asked_for, struct http_cancel *cancel, struct err *err)
{
    const struct imds_request request = imds_request_of(credential, credential->cloud->arm_scope, cancel);

    return asked_for ? 0 : imds_probe(&request, err);
}

static int managed_identity_token(struct azure_credential *credential, const char *scope, struct secret **ret,
    int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    const struct imds_request request = imds_request_of(credential, scope, cancel);

    return imds_token(&request, ret, ret_ms, err);
}

/* --- the az CLI --- */

static int az_token(struct azure_credential *credential, const char *scope, struct secret **ret, int64_t *ret_ms,
    struct http_cancel *cancel, struct err *err)
{
    const struct az_cli_request request = {
        .program = credential->az_program, .scope = scope, .tenant_id = credential->tenant_id, .cancel = cancel};

    return az_cli_token(&request, ret, ret_ms, err);
}

/* Whether somebody is logged in can only be learnt by asking for a token. */
static int check_az(
    const struct azure_credential *credential, bool asked_for _unused_, struct http_cancel *cancel, struct err *err)
{
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    int64_t lifetime_ms;

    if (credential->tenant_id && !is_tenant(credential->tenant_id))
        return err_set(err, ERR_INVALID, "AZURE_TENANT_ID must be a GUID or a domain name");
    return az_token(
        (struct azure_credential *)credential, credential->cloud->arm_scope, &token, &lifetime_ms, cancel, err);
}

const struct credential_kind credential_kinds[AZURE_CREDENTIAL_KINDS] = {
    [AZURE_CLIENT_SECRET] = {"secret", "client secret", check_secret, secret_token},
    [AZURE_CLIENT_CERTIFICATE] = {"certificate", "client certificate", check_certificate, certificate_token},
    [AZURE_WORKLOAD_IDENTITY] = {"workload-identity", "workload identity", check_workload_identity,
        workload_identity_token},
    [AZURE_MANAGED_IDENTITY] = {"managed-identity", "managed identity", check_managed_identity, managed_identity_token},
    [AZURE_AZ_CLI] = {"az-cli", "az CLI", check_az, az_token},
};

/* --- choosing --- */

static int choose_named(
    struct azure_credential *credential, const char *word, struct http_cancel *cancel, struct err *err)
{
    for (size_t i = 0; i < AZURE_CREDENTIAL_KINDS; i++) {
        if (!str_eq(word, credential_kinds[i].word))
            continue;
        credential->kind = (enum azure_credential_kind)i;
        if (credential_kinds[i].check(credential, true, cancel, err) < 0)
            return err_wrap(err, "the Azure credential asked for, %s, does not serve", credential_kinds[i].name);
        return 0;
    }
    return err_set(err, ERR_INVALID,
        "unknown kind of Azure credential \"%.40s\": use auto, secret, certificate, workload-identity, "
        "managed-identity or az-cli",
        word);
}

int credential_choose(
    struct azure_credential *credential, const char *word, struct http_cancel *cancel, struct err *err)
{
    _cleanup_(buf_done) struct buf why = BUF_INIT(8192);

    if (word)
        return choose_named(credential, word, cancel, err);
    for (size_t i = 0; i < AZURE_CREDENTIAL_KINDS; i++) {
        struct err e = ERR_INIT;
        credential->kind = (enum azure_credential_kind)i;
        if (credential_kinds[i].check(credential, false, cancel, &e) == 0) {
            credential->passed_over = buf_take(&why);
            return 0;
        }
        if (e.kind == ERR_CANCELLED) {
            if (err)
                *err = e;
            return -1;
        }
        buf_printf(&why, "%s%s: %.240s", why.len ? "; " : "", credential_kinds[i].name, e.msg);
    }
    return err_set(err, ERR_INVALID, "no Azure credential serves (%s)", buf_str(&why));
}
