/* What the fakes share: the process around a fake (options, TLS, ready file, end), and a "core" through which every
 * request passes: fault rules, the journal of requests, answers that are sent later, and the part of the inspection API
 * (paths under /fake/) that goes with them.
 *
 * The fakes are real programs for tests and demonstrations, on loopback only. They are strict where a client could be
 * sloppy, and they do what a rule of the test tells them. A typical httpd_handler:
 *
 *     struct fake_call *call = fake_call_begin(core, exchange, request);
 *     if (!call)
 *         return;                          // a fault rule or the shared inspection API has dealt with it
 *     _cleanup_(fake_reply_done) struct fake_reply reply = FAKE_REPLY_INIT;
 *     ... fill reply ...
 *     fake_call_reply(call, &reply);       // now, later or never, as the rule says
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "httpd/server.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Options ---------------------------------------------------------------------------------------------------- */

enum fake_option_kind {
    FAKE_STRING,  /* const char *, borrowed from argv */
    FAKE_STRINGS, /* struct fake_strings; may be repeated */
    FAKE_INT,     /* int64_t, not negative */
    FAKE_SECONDS, /* int64_t milliseconds, from seconds with up to three decimals ("0.25") */
    FAKE_FLAG,    /* bool */
};

#define FAKE_STRINGS_MAX 64

struct fake_strings {
    const char *v[FAKE_STRINGS_MAX];
    size_t n;
};

struct fake_option {
    const char *name; /* without "--" */
    const char *arg;  /* for the help; NULL for a flag */
    enum fake_option_kind kind;
    void *to;
    const char *help;
};

/* Reads --name VALUE and --name=VALUE. 0: go on. 1: --help was asked for and printed (about, the table, more).
 * -1: ERR_INVALID with a sentence. */
int fake_options_parse(const struct fake_option *options, size_t n, const char *about, const char *more, int argc,
    char **argv, struct err *err);

/* The options that every fake has; initialise with FAKE_PROCESS_INIT and put FAKE_PROCESS_OPTIONS into the table. */
struct fake_process {
    const char *address;
    int64_t port;
    const char *tls_dir;
    const char *ready_file;
    bool parent_death;
    char cert_file[512]; /* filled by fake_process_start */
    char key_file[512];
};

#define FAKE_PROCESS_INIT ((struct fake_process){.address = "127.0.0.1"})
#define FAKE_PROCESS_OPTIONS(p)                                                                                        \
    {"address", "ADDRESS", FAKE_STRING, &(p)->address, "numeric loopback address to listen on (127.0.0.1)"},           \
        {"port", "PORT", FAKE_INT, &(p)->port, "port to listen on; 0, the default, takes a free one"},                 \
        {"tls-dir", "DIR", FAKE_STRING, &(p)->tls_dir,                                                                 \
            "where ca.pem, server.pem and server.key are written at the start (required)"},                            \
        {"ready-file", "FILE", FAKE_STRING, &(p)->ready_file,                                                          \
            "written in one go when the server listens: one line with the base URL"},                                  \
    {                                                                                                                  \
        "parent-death", NULL, FAKE_FLAG, &(p)->parent_death, "end when the process that started this one ends"         \
    }

/* To be called before any thread exists: blocks the signals that fake_core_wait takes, asks for death with the parent,
 * checks that the address is loopback, makes the certificates. */
int fake_process_start(struct fake_process *process, struct err *err);
/* Writes the ready file (to a temporary name, then renamed), if one was asked for, and the URL to standard output. */
int fake_process_ready(const struct fake_process *process, const char *base_url, struct err *err);

/* Makes a new CA and a server certificate signed by it for 127.0.0.1, ::1 and localhost, good for 30 days, in dir:
 * ca.pem, ca.key, server.pem (server, then CA), server.key. dir is created when absent. */
int fake_tls_generate(const char *dir, struct err *err);
/* A client certificate of that CA, for a fake that authenticates by certificate: NAME.pem and NAME.key in dir, with the
 * subject CN=common_name and, when organization is not NULL, O=organization. */
int fake_tls_client(
    const char *dir, const char *name, const char *common_name, const char *organization, struct err *err);

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

#define FAKE_HEADERS_MAX 32
#define FAKE_BODY_MAX (256u << 20)

struct fake_reply {
    int status;
    const char *status_text; /* borrowed literal; NULL: the usual reason phrase */
    size_t n;
    struct httpd_header headers[FAKE_HEADERS_MAX]; /* names borrowed (literals), values owned */
    struct buf body;
};

#define FAKE_REPLY_INIT ((struct fake_reply){.status = 200, .body = BUF_INIT(FAKE_BODY_MAX)})

void fake_reply_done(struct fake_reply *reply);
/* Sends it over exchange, which is over then. The reply stays the caller's. */
void fake_reply_send(const struct fake_reply *reply, struct httpd_exchange *exchange);
/* Replaces a header of the same name. name is borrowed for the life of the reply. */
void fake_reply_header(struct fake_reply *reply, const char *name, const char *format, ...) _printf_(3, 4);
/* The tree as the whole body, application/json. The tree stays the caller's. */
void fake_reply_json(struct fake_reply *reply, int status, const cJSON *tree);

/* ---- The core --------------------------------------------------------------------------------------------------- */

struct fake_core;

struct fake_core *fake_core_new(void);
/* After httpd_stop. Accepts and returns NULL. */
struct fake_core *fake_core_free(struct fake_core *core);
DEFINE_CLEANUP(struct fake_core *, fake_core_free)

/* Wall clock in ms plus what POST /fake/clock has added. */
int64_t fake_core_now(struct fake_core *core);

/* Sends delayed answers until SIGTERM or SIGINT; to be called by the main thread. */
void fake_core_wait(struct fake_core *core);
/* Closes what is held or delayed. To be called before httpd_stop. */
void fake_core_shut(struct fake_core *core);

struct fake_call;

/* Takes every request first. NULL: it has been dealt with. A request under /fake/ that is not one of the shared paths
 * is returned as a call that is neither journalled nor subject to faults. */
struct fake_call *fake_call_begin(
    struct fake_core *core, struct httpd_exchange *exchange, const struct httpd_request *request);
/* Text that the journal shows as the request's body instead of the real one, for bodies that hold a credential. */
void fake_call_hide_body(struct fake_call *call, const char *shown);
/* Ends the call with this answer, unless a rule wants another one, or none. From any thread if the exchange is held. */
void fake_call_reply(struct fake_call *call, struct fake_reply *reply);
/* For a streamed answer: ends the call and gives the exchange back to begin, write and end the stream on. NULL when a
 * rule has cut it. status goes to the journal. */
struct httpd_exchange *fake_call_stream(struct fake_call *call, int status);
/* Borrowed; for httpd_request_header and httpd_hold. */
struct httpd_exchange *fake_call_exchange(struct fake_call *call);

/* Text for --help and README: the shared part of the inspection API. */
extern const char fake_core_help[];
