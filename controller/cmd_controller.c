/* cosmoscmk controller: from the command line to a running controller, until a signal ends it. */
#include "base/log.h"
#include "base/mem.h"
#include "controller/app.h"
#include "controller/commands.h"
#include "controller/flags.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

struct settings {
    struct app_options app;
    const char *log_level;
    const char *log_format;
};

#define MAX_FLAGS 48

static size_t make_flags(struct flag *ret, struct settings *s)
{
    struct app_options *o = &s->app;
    const struct flag flags[] = {
        {"kubeconfig", FLAG_STRING, &o->kubeconfig, "FILE",
            "kubeconfig to use (default $KUBECONFIG, in-cluster, ~/.kube/config)"},
        {"context", FLAG_STRING, &o->context, "NAME", "context of the kubeconfig (default its current-context)"},
        {"namespace", FLAG_STRING, &o->namespace_name, "NAME", "watch this namespace only (default all)"},
        {"selector", FLAG_STRING, &o->label_selector, "LABELS", "watch only resources with these labels (default all)"},
        {"workers", FLAG_INT, &o->workers, "N", "passes at the same time (default 4)", 1, 64},
        {"probe-address", FLAG_STRING, &o->probe_address, "ADDR:PORT",
            "serve /livez and /readyz here; \"\" for nowhere (default :8081)"},
        {"metrics-address", FLAG_STRING, &o->metrics_address, "ADDR:PORT",
            "serve /metrics here, over TLS and to those whom the API server lets get it (default nowhere)"},
        {"metrics-cert-file", FLAG_STRING, &o->metrics_cert_file, "FILE",
            "its certificate with the chain, in PEM; read again when it changes (default self-signed, in memory)"},
        {"metrics-key-file", FLAG_STRING, &o->metrics_key_file, "FILE", "the certificate's key"},
        {"metrics-insecure", FLAG_BOOL, &o->metrics_insecure, NULL,
            "serve metrics over plain HTTP, to everybody (default false)"},
        {"cloud", FLAG_STRING, &o->cloud, "NAME",
            "public, china, usgov, or custom with --arm-endpoint (default public)"},
        {"arm-endpoint", FLAG_STRING, &o->arm_endpoint, "URL",
            "Azure Resource Manager of another cloud; it is asked to describe it, unless --authority-host is given"},
        {"arm-scope", FLAG_STRING, &o->arm_scope, "SCOPE", "scope of its tokens (default as it says, or URL/.default)"},
        {"authority-host", FLAG_STRING, &o->authority_host, "URL",
            "Entra ID (default $AZURE_AUTHORITY_HOST, or the cloud's)"},
        {"key-vault-suffix", FLAG_STRING, &o->vault_suffix, "NAME",
            "what key vault hosts end in (default the cloud's)"},
        {"cosmos-suffix", FLAG_STRING, &o->cosmos_suffix, "NAME",
            "what Cosmos DB account hosts end in (default the cloud's)"},
        {"cosmos-principal-id", FLAG_STRING, &o->cosmos_principal_id, "GUID",
            "object id of the service principal \"Azure Cosmos DB\" in the tenant, to check what it may do"},
        {"credential", FLAG_STRING, &o->credential, "KIND",
            "auto, secret, certificate, workload-identity, managed-identity or az-cli (default auto)"},
        {"managed-identity-client-id", FLAG_STRING, &o->identity_client_id, "GUID",
            "user-assigned managed identity (default $AZURE_CLIENT_ID, or the machine's only one)"},
        {"managed-identity-resource-id", FLAG_STRING, &o->identity_resource_id, "ID", "the same by resource id"},
        {"imds-endpoint", FLAG_STRING, &o->imds_endpoint, "URL",
            "instance metadata service, loopback or link-local only (default http://169.254.169.254)"},
        {"azure-ca-file", FLAG_STRING, &o->azure_ca_file, "FILE",
            "trust only these certificates for Azure (default the system's)"},
        {"azure-proxy", FLAG_STRING, &o->azure_proxy, "URL", "proxy on the way to Azure (default none)"},
        {"propagation", FLAG_DURATION, &o->cmk.propagation, "DURATION",
            "wait for a granted access to hold everywhere (default 5m)", 0, HOUR},
        {"allow-account-keys", FLAG_BOOL, &o->allow_account_keys, NULL,
            "let the document scan use an account's read-only key, which other APIs than NoSQL need (default false)"},
        {"scan-jobs", FLAG_INT, &o->scan_jobs, "N", "accounts whose documents are scanned at the same time (default 2)",
            1, 64},
        {"scan-ru", FLAG_INT, &o->scan_ru, "RU",
            "request units per second that a scan may take; 0: no limit (default 400)", 0, 1000000},
        {"zoneinfo", FLAG_STRING, &o->zone_directory, "DIR", "time zones (default /usr/share/zoneinfo)"},
        {"poll-min", FLAG_DURATION, &o->cmk.poll_min, "DURATION",
            "shortest time between looks at a running operation (default 5s)", 100, HOUR},
        {"poll-max", FLAG_DURATION, &o->cmk.poll_max, "DURATION", "longest (default 1m)", 100, HOUR},
        {"progress", FLAG_DURATION, &o->cmk.progress, "DURATION",
            "time between writes that only tell how long an operation has been running (default 10m)", MINUTE, DAY},
        {"settle", FLAG_DURATION, &o->cmk.settle, "DURATION",
            "how long the effect of a change may take to show when its answer was lost (default 2m)", SECOND, HOUR},
        {"resync", FLAG_DURATION, &o->cmk.resync, "DURATION",
            "time between looks at accounts that are Ready; many in one subscription are read by one list (default "
            "10m)",
            SECOND, DAY},
        {"recheck", FLAG_DURATION, &o->cmk.recheck, "DURATION",
            "time between looks at what stalls a resource (default 10m)", SECOND, DAY},
        {"retry-min", FLAG_DURATION, &o->cmk.retry_base, "DURATION",
            "wait before a failed operation is tried again (default 5m)", 100, DAY},
        {"retry-max", FLAG_DURATION, &o->cmk.retry_max, "DURATION", "longest such wait (default 1h)", 100, DAY},
        {"max-attempts", FLAG_INT, &o->cmk.max_attempts, "N",
            "attempts at one step before a person must act (default 5)", 1, 1000},
        {"leader-elect", FLAG_BOOL, &o->leadership.elect, NULL,
            "work only while holding a Lease, so that several controllers can run (default true)"},
        {"leader-elect-lease-duration", FLAG_DURATION, &o->leadership.lease_duration, "DURATION",
            "how long others wait before they take over from a leader that is silent (default 15s)", SECOND, HOUR},
        {"leader-elect-renew-deadline", FLAG_DURATION, &o->leadership.renew_deadline, "DURATION",
            "how long a leader that cannot renew goes on (default 10s)", 100, HOUR},
        {"leader-elect-retry-period", FLAG_DURATION, &o->leadership.retry_period, "DURATION",
            "time between attempts to get or renew the Lease (default 2s)", 100, HOUR},
        {"leader-elect-namespace", FLAG_STRING, &o->leadership.namespace_name, "NAME",
            "namespace of the Lease (default the pod's, or that of the kubeconfig's context)"},
        {"leader-elect-name", FLAG_STRING, &o->leadership.name, "NAME", "its name (default cosmoscmk)"},
        {"log-level", FLAG_STRING, &s->log_level, "LEVEL", "debug, info, warn or error (default info)"},
        {"log-format", FLAG_STRING, &s->log_format, "FORMAT", "json, text or auto: text on a terminal (default auto)"},
    };
    _Static_assert(ARRAY_LEN(flags) <= MAX_FLAGS, "MAX_FLAGS is too small");

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        ret[i] = flags[i];
    return ARRAY_LEN(flags);
}

static void help(const struct flag *flags, size_t n)
{
    (void)fputs("usage: cosmoscmk controller [FLAGS]\n\n"
                "Watches CosmosCMK resources and enables customer-managed keys on the accounts that they name.\n\n",
        stdout);
    flags_print(flags, n, stdout);
    (void)fputs("\nCredentials for Azure are those of the Azure SDKs. --credential auto takes the first of these that "
                "serves:\n"
                "  client secret        AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET\n"
                "  client certificate   AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_CERTIFICATE_PATH\n"
                "                       (AZURE_CLIENT_CERTIFICATE_PASSWORD)\n"
                "  workload identity    AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE\n"
                "  managed identity     of the machine (AZURE_CLIENT_ID)\n"
                "  az CLI               whoever is logged in (AZURE_TENANT_ID)\n",
        stdout);
}

static int setup_log(const struct settings *s, struct err *err)
{
    enum log_level level = LOG_INFO;
    enum log_format format = LOG_AUTO;

    if (s->log_level && !log_level_parse(s->log_level, &level))
        return err_set(err, ERR_INVALID, "--log-level takes debug, info, warn or error, not \"%.100s\"", s->log_level);
    if (s->log_format && !log_format_parse(s->log_format, &format))
        return err_set(err, ERR_INVALID, "--log-format takes json, text or auto, not \"%.100s\"", s->log_format);
    log_setup(level, format);
    return 0;
}

static int usage_error(const struct err *err)
{
    (void)fprintf(stderr, "cosmoscmk controller: %s\n", err->msg);
    return EXIT_USAGE;
}

/* Every thread inherits the mask, so that only sigwait() below sees these. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, APP_SIGNAL_LOST);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void wait_for_signal(const sigset_t *set, const struct app *app)
{
    int number = 0;

    do
        (void)sigwait(set, &number);
    while (number == APP_SIGNAL_LOST && !app_has_lost_leadership(app));
    if (number != APP_SIGNAL_LOST)
        log_info("stopping", LOG_S("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL); /* a second signal ends it at once */
}

int cmd_controller(int argc, char **argv)
{
    struct settings s = {.app = {.workers = 4,
                             .scan_jobs = 2,
                             .scan_ru = 400,
                             .probe_address = ":8081",
                             .leadership = LEADERSHIP_DEFAULTS,
                             .cmk = cmk_default_options}};
    struct flag flags[MAX_FLAGS];
    struct err err = ERR_INIT;
    struct app *app = NULL;
    sigset_t signals;

    size_t n = make_flags(flags, &s);
    int r = flags_parse(flags, n, argc, argv, &err);
    if (r > 0) {
        help(flags, n);
        return 0;
    }
    if (r < 0 || setup_log(&s, &err) < 0 || leadership_check_options(&s.app.leadership, &err) < 0)
        return usage_error(&err);
    block_signals(&signals);
    log_info("starting", LOG_S("version", COSMOSCMK_VERSION));
    if (app_start(&app, &s.app, &err) < 0) {
        log_error("cannot start", LOG_S("error", err.msg));
        return 1;
    }
    wait_for_signal(&signals, app);
    bool lost = app_has_lost_leadership(app);
    app_stop(app);
    log_info("stopped");
    return lost ? 1 : 0;
}
