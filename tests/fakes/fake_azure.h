/* fake-azure over the wire: what its parts share. The rules are in fake_azure_model.h; here are URLs, headers,
 * envelopes, tokens. Each server has a thread of its own; requests are dealt with one at a time, under lock. */
#pragma once

#include "fakes/fake_azure_model.h"
#include "fakes/fake_common.h"

#include <openssl/x509.h>
#include <pthread.h>

struct fake_azure {
    struct fake_core *core;
    struct azure_model *model;
    pthread_mutex_t lock; /* of everything here */
    char base_url[128];   /* "https://127.0.0.1:8443" */
    char imds_url[128];   /* "http://127.0.0.1:8080"; "" without --imds */
    char token_secret[65];
    const char *tenant;
    const char *client_id;     /* NULL: any */
    const char *client_secret; /* NULL: any that is not empty */
    X509 *client_certificate;  /* with which the application signs; NULL: signatures are not looked at */
    bool refuse_ps256;
    const char *vault_suffix, *hsm_suffix, *cosmos_suffix; /* in the description of the cloud */
    int64_t token_ms;
    int64_t tokens_valid_from_ms; /* tokens issued before are unknown */
    int64_t retry_after;          /* seconds, in answers about running operations; 0: no header */
    bool throttle;                /* an empty bucket refuses with 429 instead of only saying 0 */
    int64_t reads_max, reads_per_second, writes_max, writes_per_second;
    struct map buckets; /* lower-case subscription -> struct azure_bucket */
};

/* One request on its way through. */
struct azure_request {
    struct fake_azure *azure;
    const struct httpd_request *http;
    struct httpd_exchange *exchange;
    struct fake_reply *reply;
    int64_t now_ms;
    char *copy; /* of the path, cut into segments */
    char *segments[24];
    size_t n_segments;
    char api_version[32];
    char request_id[AZURE_GUID_SIZE];
    char caller[64]; /* the application that the token was issued to */
};

/* Is this path made of these segments? "*" stands for any, words compare without case. */
bool azure_path_is(const struct azure_request *r, const char *pattern);

/* Answers. All but the body and status is set by azure_reply_begin. */
void azure_reply_begin(struct azure_request *r);
/* ARM's own errors: {"error":{"code","message"}}. */
void azure_front_door_error(struct azure_request *r, int status, const char *code, const char *format, ...)
    _printf_(4, 5);
/* The resource provider's: {"code","message"} at the top level, with an ActivityId at the end of the message. */
void azure_provider_error(struct azure_request *r, int status, const char *code, const char *message);
/* Appends "\r\nActivityId: …" unless message has one. */
void azure_put_message(struct azure_request *r, struct buf *b, const char *message);

/* True when a usable bearer token came; else the 401 is in the reply. */
bool azure_authenticate(struct azure_request *r);
/* The way Entra ID refuses: {"error","error_description":"AADSTS…: text …"}. The value is false. */
bool azure_refuse_token(struct azure_request *r, int status, const char *error, int64_t aad_code, const char *text);
/* A token for client_id, appended to b. */
void azure_put_token(struct azure_request *r, const char *audience, const char *client_id, struct buf *b);
/* True when this client_assertion is good for client_id; else the refusal is in the reply. */
bool azure_check_assertion(struct azure_request *r, const char *type, const char *assertion, const char *client_id);
int azure_load_client_certificate(struct fake_azure *azure, const char *path, struct err *err);
/* Every request to the instance metadata service. */
void azure_imds(struct azure_request *r);
/* Adds it to $FAKE_AZURE_TRACE, if that is set. */
void azure_trace(const struct httpd_request *request);
/* True when the request was about tokens, and has been answered. */
bool azure_entra(struct azure_request *r, struct fake_call *call);
/* Everything under /subscriptions. */
void azure_arm(struct azure_request *r);
/* Resources other than accounts, known by what the seed says of them. True when the path is one, or a list of some. */
bool azure_arm_resources(struct azure_request *r);
/* Access policies, role assignments and role definitions; true when the request is about one of them. */
bool azure_arm_grants(struct azure_request *r);
/* Metrics and the Activity Log; true when the request is about one of them. */
bool azure_arm_monitor(struct azure_request *r);
/* Paths under /fake/ that concern Azure. */
void azure_inspect(struct azure_request *r);
extern const char azure_inspect_help[];

/* Everything under /cosmos/ACCOUNT/: the account's data. */
void azure_gateway(struct azure_request *r);
/* True when the request may read the account's data; else the refusal is in the reply. verb, type and link are what a
 * signature is about. */
bool azure_gateway_authorize(
    struct azure_request *r, const struct azure_account *account, const char *type, const char *link);
/* A segment of a path, or the authorization header: some clients encode it, @azure/cosmos not always. The caller's. */
char *azure_gateway_decoded(const char *text);
/* The gateway's errors: {"code","message"}, the message's text as {"Errors":[…]} when nested. */
void azure_gateway_error(
    struct azure_request *r, int status, int substatus, const char *code, bool nested, const char *text);
/* The account's keys as ARM hands them out (POST listKeys, readonlykeys). */
void azure_account_keys(struct azure_request *r, const struct azure_account *account, bool read_only);
/* The application to which this token for one of the audiences was issued; NULL when it is not good. The caller frees
 * it. */
char *azure_token_client(struct azure_request *r, const char *token, const char *const *audiences, size_t n);

/* Takes one from the subscription's bucket and sets the rate headers. False: throttled, the 429 is in the reply. */
bool azure_limit(struct azure_request *r, const char *subscription, bool is_write);
void azure_limit_done(struct fake_azure *azure);

/* base64url without padding. Decoding gives NULL for anything else; the caller frees it. */
void azure_put_base64url(struct buf *b, const void *data, size_t len);
char *azure_base64url_decode(const char *text, size_t len);
