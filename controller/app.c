#include "controller/app.h"

#include "azure/credential.h"
#include "azure/limiter.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/azure_port.h"
#include "controller/codec.h"
#include "controller/events.h"
#include "controller/health.h"
#include "controller/informer.h"
#include "controller/kube_port.h"
#include "controller/metrics.h"
#include "controller/metrics_server.h"
#include "controller/scan_access.h"
#include "controller/scanner.h"
#include "controller/sweeper.h"
#include "controller/workers.h"
#include "http/url.h"
#include "kube/client.h"

#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PEM_MAX 1048576
#define DRAIN_MS 1500
#define LOST_END_S 10 /* for an orderly end without the leadership */
#define EVENTS_FLUSH_MS 1000

/* Layers of the client that ARM is called through, outermost first (design 4.1, pkg/http/layer.h). */
struct arm_layers {
    struct http_client *log, *retry, *limiter, *auth;
};

struct app {
    const struct app_options *options;

    struct app_metrics *metrics;
    struct metrics_server *metrics_server;
    struct http_engine *engine;
    struct http_client *azure_http; /* the engine, with its requests counted */
    struct http_cancel *azure_cancel;
    struct http_tls *azure_tls;
    struct azure_cloud *cloud;
    struct azure_credential *credential;
    struct arm_layers arm_layers;
    struct arm_client *arm;
    struct authz_roles *roles;
    struct azure_port_context azure_context;
    struct scan_access scan_access;
    struct scanner *scanner;
    char loopback_host[256];
    struct kube_client *kube;
    struct kube_events *events;

    struct store *store;
    struct work_queue *queue;
    struct kube_port_context kube_context;
    struct ports ports;
    struct reconciler reconciler;
    char *own_namespace; /* of the pod or the kubeconfig's context */
    struct leadership leadership;

    struct workers *workers;
    struct sweep *sweep;
    struct sweeper *sweeper;
    struct informer *informer;
    struct health health;
};

/* ---- the informer ---- */

static void enqueue(void *ctx, const char *key)
{
    struct app *app = ctx;

    work_queue_add(app->queue, key);
}

/* Both have to be there, whichever comes last says so. */
static void sweep_if_leading(struct app *app)
{
    if (health_is_synced(&app->health) && leadership_is_leader(&app->leadership))
        sweeper_begin(app->sweeper);
}

static void on_synced(void *ctx, bool first)
{
    struct app *app = ctx;

    if (first) {
        (void)health_set_synced(&app->health);
        log_info("synced", LOG_I("resources", store_len(app->store)));
    }
    sweep_if_leading(app);
}

static void on_progress(void *ctx, enum kube_reflector_progress what)
{
    struct app *app = ctx;

    health_beat(&app->health);
    app_metrics_watch(app->metrics, what);
}

static void on_trouble(void *ctx, const struct err *err)
{
    struct app *app = ctx;

    app_metrics_watch_failed(app->metrics, err);
}

static int start_informer(struct app *app, struct err *err)
{
    const struct informer_options options = {.client = app->kube,
        .store = app->store,
        .queue = app->queue,
        .namespaces = app->options->namespaces.items,
        .n_namespaces = app->options->namespaces.n,
        .label_selector = app->options->label_selector,
        .synced = on_synced,
        .progress = on_progress,
        .trouble = on_trouble,
        .ctx = app};

    return informer_start(&app->informer, &options, err);
}

static int check_namespaces(const struct flag_list *list, struct err *err)
{
    for (size_t i = 0; i < list->n; i++)
        if (!kube_is_label(list->items[i]))
            return err_set(err, ERR_INVALID,
                "--namespace takes names of namespaces (lower-case letters, digits and dashes, at most 63), not "
                "\"%.100s\"",
                list->items[i]);
    return 0;
}

/* ---- the parts, in the order in which they are made ---- */

static void on_leading(void *ctx)
{
    sweep_if_leading(ctx);
}

/* Any thread. Nothing may be changed any more, so what waits for an answer may as well be told. */
static void on_lost(void *ctx)
{
    struct app *app = ctx;

    http_cancel_trigger(app->azure_cancel);
    (void)alarm(LOST_END_S); /* an end that hangs ends as well */
    (void)kill(getpid(), APP_SIGNAL_LOST);
}

static bool is_leader(void *ctx)
{
    struct app *app = ctx;

    return leadership_is_leader(&app->leadership);
}

static bool holds_lease(void *ctx)
{
    struct app *app = ctx;

    return leadership_valid(&app->leadership);
}

static int64_t wall_now(void *ctx _unused_)
{
    return clock_wall_ms();
}

static int64_t uptime(void *ctx _unused_)
{
    return clock_mono_ms();
}

static void new_uuid(void *ctx _unused_, char ret[static UUID_SIZE])
{
    random_uuid(ret);
}

static int make_engine(struct app *app, struct err *err)
{
    struct utsname system = {0};

    (void)uname(&system);
    _cleanup_(freep) char *agent = xasprintf("cosmoscmk/%s (%s/%s)", COSMOSCMK_VERSION, system.sysname, system.machine);
    const struct http_engine_options options = {.user_agent = agent};
    const struct http_observer observer = app_metrics_azure(app->metrics);
    if (http_engine_new(&app->engine, &options, err) < 0)
        return -1;
    app->azure_http = http_observe_new(http_engine_client(app->engine), &observer);
    return 0;
}

static int make_kube(struct app *app, struct err *err)
{
    const struct kube_config_options where = {.kubeconfig = app->options->kubeconfig, .context = app->options->context};
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    _cleanup_(json_freep) cJSON *version = NULL;

    if (kube_config_load(&config, &where, err) < 0 || kube_client_new(&app->kube, app->engine, config, err) < 0)
        return err_wrap(err, "Kubernetes");
    const struct http_observer observer = app_metrics_kube(app->metrics);
    kube_client_observe(app->kube, &observer);
    if (kube_server_version(app->kube, &version, err) < 0)
        return err_wrap(err, "the API server %s (from %s) does not serve us", config->server, config->source);
    str_replace(&app->own_namespace, config->namespace_name);
    log_info("connected to the API server", LOG_S("server", config->server), LOG_S("config", config->source),
        LOG_S("version", json_string_at(version, "gitVersion")));
    return 0;
}

static int make_azure_tls(struct app *app, struct err *err)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(PEM_MAX);
    struct http_tls_options options = {0};

    if (!app->options->azure_ca_file)
        return 0;
    if (file_read(app->options->azure_ca_file, &pem, err) < 0)
        return err_wrap(err, "--azure-ca-file");
    options.ca_pem = buf_str(&pem);
    if (http_tls_new(&app->azure_tls, &options, err) < 0)
        return err_wrap(err, "--azure-ca-file %s", app->options->azure_ca_file);
    return 0;
}

static int make_cloud(struct app *app, struct err *err)
{
    const struct app_options *o = app->options;
    const struct azure_cloud_options options = {
        .name = o->cloud,
        .arm_endpoint = o->arm_endpoint,
        .arm_scope = o->arm_scope,
        .authority_host = o->authority_host,
        .environment_authority_host = env_get("AZURE_AUTHORITY_HOST"),
        .vault_suffix = o->vault_suffix,
        .cosmos_suffix = o->cosmos_suffix,
        .cosmos_principal_id = o->cosmos_principal_id,
    };
    const struct azure_cloud_access access = {
        .http = app->azure_http, .tls = app->azure_tls, .proxy = o->azure_proxy, .cancel = app->azure_cancel};

    return azure_cloud_open(&app->cloud, &access, &options, err);
}

static int make_credential(struct app *app, struct err *err)
{
    const struct app_options *o = app->options;
    const struct azure_credential_options options = {
        .kind = o->credential,
        .tenant_id = env_get("AZURE_TENANT_ID"),
        .client_id = env_get("AZURE_CLIENT_ID"),
        .client_secret = env_get("AZURE_CLIENT_SECRET"),
        .certificate_path = env_get("AZURE_CLIENT_CERTIFICATE_PATH"),
        .certificate_password = env_get("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        .federated_token_file = env_get("AZURE_FEDERATED_TOKEN_FILE"),
        .managed_identity_client_id = o->identity_client_id,
        .managed_identity_resource_id = o->identity_resource_id,
        .imds_endpoint = o->imds_endpoint,
        .tls = app->azure_tls,
        .proxy = o->azure_proxy,
        .cancel = app->azure_cancel,
    };

    return azure_credential_new(&app->credential, app->azure_http, app->cloud, &options, err);
}

static int make_arm(struct app *app, struct err *err)
{
    const struct http_token_source source = azure_credential_source(app->credential, app->cloud->arm_scope);
    const struct http_retry_options retry = {.attempts = 3, .base_ms = 200, .max_ms = 2000};
    struct arm_layers *l = &app->arm_layers;

    l->auth = http_auth_new(app->azure_http, &source);
    l->limiter = limiter_new(l->auth, NULL);
    l->retry = http_retry_new(l->limiter, &retry);
    l->log = http_log_new(l->retry);
    const struct arm_options options = {.http = l->log,
        .cloud = app->cloud,
        .tls = app->azure_tls,
        .proxy = app->options->azure_proxy,
        .cancel = app->azure_cancel,
        .permit = leadership_valid,
        .permit_ctx = &app->leadership};
    return arm_client_new(&app->arm, &options, err);
}

static int make_azure(struct app *app, struct err *err)
{
    if (make_azure_tls(app, err) < 0 || make_cloud(app, err) < 0 || make_credential(app, err) < 0 ||
        make_arm(app, err) < 0)
        return err_wrap(err, "Azure");
    log_info("using Azure", LOG_S("cloud", app->cloud->name), LOG_S("arm", app->cloud->arm_endpoint),
        LOG_S("credential", azure_credential_kind_name(azure_credential_kind(app->credential))),
        LOG_S("passedOver", azure_credential_passed_over(app->credential)));
    return 0;
}

/* A fake of Azure on loopback serves the accounts' data there as well. In production this is NULL. */
static const char *loopback_host(struct app *app)
{
    struct http_url url;

    if (http_url_parse(app->cloud->arm_endpoint, &url, NULL) < 0 ||
        (!str_eq(url.host, "localhost") && !str_has_prefix(url.host, "127.") && !str_eq(url.host, "::1")))
        return NULL;
    (void)str_copy(app->loopback_host, sizeof(app->loopback_host), url.host);
    return app->loopback_host;
}

static void make_scanner(struct app *app)
{
    app->scan_access = (struct scan_access){.arm_http = app->arm_layers.log,
        .http = app->azure_http,
        .cloud = app->cloud,
        .credential = app->credential,
        .tls = app->azure_tls,
        .proxy = app->options->azure_proxy,
        .loopback_host = loopback_host(app),
        .allow_account_keys = app->options->allow_account_keys};
    const struct scanner_options options = {.open = scan_access_open,
        .ctx = &app->scan_access,
        .jobs = (int)app->options->scan_jobs,
        .ru_per_second = app->options->scan_ru};
    app->scanner = scanner_new(&options);
}

static void make_core(struct app *app)
{
    const struct queue_options queue = {.backoff_base_ms = 500, .backoff_max_ms = 300000};

    app->store = store_new();
    app->queue = work_queue_new(&queue);
    app->kube_context = (struct kube_port_context){.client = app->kube, .store = app->store};
    app->roles = authz_roles_new();
    make_scanner(app);
    app->azure_context = (struct azure_port_context){.client = app->arm,
        .scanner = app->scanner,
        .sent = app_metrics_sent,
        .sent_ctx = app->metrics,
        .evidence = {.cloud = app->cloud,
            .roles = app->roles,
            .cosmos_principal_id = app->cloud->cosmos_principal_id,
            .together = run_together}};
    app->events = controller_events_new(app->kube);
    app->ports = (struct ports){.azure = azure_port_make(&app->azure_context),
        .kube = kube_port_make(&app->kube_context),
        .events = event_port_make(app->events),
        .world = {.ctx = app, .now_ms = wall_now, .uptime_ms = uptime, .uuid = new_uuid, .holds_lease = holds_lease}};
    app->reconciler = (struct reconciler){.ports = &app->ports,
        .options = &app->options->cmk,
        .store = app->store,
        .zone_directory = app->options->zone_directory,
        .covers = sweep_covers};
    const struct sweep_options sweep = {.reconciler = &app->reconciler, .enqueue = enqueue, .ctx = app};
    app->sweep = sweep_new(&sweep);
    app->reconciler.covers_ctx = app->sweep;
}

static int start_metrics(struct app *app, struct err *err)
{
    const struct app_metrics_sources sources = {.queue = app->queue,
        .workers = app->workers,
        .store = app->store,
        .limiter = app->arm_layers.limiter,
        .is_leader = app->options->leadership.elect ? is_leader : NULL,
        .leader_ctx = app,
        .lease_name = app->options->leadership.name};
    const struct metrics_server_options options = {.address = app->options->metrics_address,
        .cert_file = app->options->metrics_cert_file,
        .key_file = app->options->metrics_key_file,
        .insecure = app->options->metrics_insecure,
        .metrics = app->metrics,
        .kube = app->kube};

    app_metrics_look_at(app->metrics, &sources);
    return metrics_server_start(&app->metrics_server, &options, err);
}

static int start_threads(struct app *app, struct err *err)
{
    const struct workers_observer observer = app_metrics_workers(app->metrics);

    app->leadership.queue = app->queue;
    app->leadership.on_leading = on_leading;
    app->leadership.on_lost = on_lost;
    app->leadership.ctx = app;
    app->health.leadership = &app->leadership;
    if (leadership_init(&app->leadership, app->kube, app->own_namespace, err) < 0)
        return -1;
    work_queue_on_get(app->queue, app_metrics_queued, app->metrics);
    app->workers = workers_start(app->queue, &app->reconciler, (int)app->options->workers, &observer);
    if (health_start(&app->health, app->options->probe_address, app->engine, app->workers, err) < 0 ||
        start_metrics(app, err) < 0)
        return -1;
    app->sweeper = sweeper_start(app->sweep, app->options->cmk.resync);
    if (start_informer(app, err) < 0)
        return -1;
    leadership_start(&app->leadership);
    return 0;
}

int app_start(struct app **ret, const struct app_options *options, struct err *err)
{
    _cleanup_(app_stopp) struct app *app = xcalloc(1, sizeof(*app));

    app->options = options;
    app->leadership.options = &options->leadership;
    app->metrics = app_metrics_new();
    app->azure_cancel = http_cancel_new();
    if (check_namespaces(&options->namespaces, err) < 0 || make_engine(app, err) < 0 || make_azure(app, err) < 0 ||
        make_kube(app, err) < 0)
        return -1;
    make_core(app);
    if (start_threads(app, err) < 0)
        return -1;
    *ret = TAKE_PTR(app);
    return 0;
}

/* ---- the end ---- */

static void drain(struct app *app)
{
    int64_t deadline = clock_mono_ms() + DRAIN_MS;

    while (!workers_idle(app->workers) && clock_mono_ms() < deadline)
        clock_sleep_ms(10);
}

static void stop_threads(struct app *app)
{
    informer_cancel(app->informer);
    if (app->queue)
        work_queue_stop(app->queue);
    if (app->workers)
        drain(app);
    http_cancel_trigger(app->azure_cancel);
    if (app->events)
        kube_events_flush(app->events, EVENTS_FLUSH_MS);
    if (app->kube)
        kube_client_cancel(app->kube);
    app->informer = informer_join(app->informer);
    health_stop(&app->health);
    app->metrics_server = metrics_server_stop(app->metrics_server);
    app->sweeper = sweeper_stop(app->sweeper);
    app->workers = workers_join(app->workers);
    app->scanner = scanner_stop(app->scanner);
    leadership_stop(&app->leadership);
}

bool app_has_lost_leadership(const struct app *app)
{
    return leadership_is_lost(&app->leadership);
}

struct app *app_stop(struct app *app)
{
    if (!app)
        return NULL;
    stop_threads(app);
    app->queue = work_queue_free(app->queue);
    app->sweep = sweep_free(app->sweep);
    app->store = store_free(app->store);
    arm_client_free(app->arm);
    authz_roles_free(app->roles);
    http_log_free(app->arm_layers.log);
    http_retry_free(app->arm_layers.retry);
    limiter_free(app->arm_layers.limiter);
    http_auth_free(app->arm_layers.auth);
    kube_events_free(app->events);
    kube_client_free(app->kube);
    azure_credential_free(app->credential);
    azure_cloud_free(app->cloud);
    http_tls_unref(app->azure_tls);
    http_observe_free(app->azure_http);
    http_engine_free(app->engine);
    http_cancel_free(app->azure_cancel);
    free(app->own_namespace);
    app_metrics_free(app->metrics);
    free(app);
    return NULL;
}
