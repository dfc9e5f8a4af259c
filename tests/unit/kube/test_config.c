/* One kubeconfig file: what is understood and what is refused. '@' in a text is the test's folder. */
#include "config_rig.h"

/* --- one file that is fine --- */

static void every_field_of_a_cluster_and_a_user_is_read(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *c = NULL;
    struct err err;

    scratch_write(dir, "config",
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u, namespace: payments}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://10.0.0.1:6443//', certificate-authority-data: UEVN,\n"
        "    tls-server-name: api.example, proxy-url: 'http://proxy:3128', insecure-skip-tls-verify: false}}]\n"
        "users: [{name: u, user: {client-certificate-data: Q0VSVA==, client-key-data: \"S0\\nVZ\", token: abc,\n"
        "    tokenFile: token, username: '', as-groups: [], auth-provider: null}}]\n",
        0);
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    _cleanup_(freep) char *source = scratch_expand(dir, "@/config, context c");
    _cleanup_(freep) char *token = scratch_expand(dir, "@/token");
    assert_string_equal(c->source, source);
    assert_string_equal(c->server, "https://10.0.0.1:6443");
    assert_string_equal(c->server_name, "api.example");
    assert_string_equal(c->proxy, "http://proxy:3128");
    assert_string_equal(c->ca_pem, "PEM");
    assert_string_equal(c->client_cert_pem, "CERT");
    assert_string_equal(secret_reveal(c->client_key_pem), "KEY");
    assert_string_equal(secret_reveal(c->token), "abc");
    assert_string_equal(c->token_file, token);
    assert_string_equal(c->namespace_name, "payments");
    assert_null(c->exec);
}

static void files_are_found_beside_the_kubeconfig_and_data_goes_before_files(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *c = NULL;
    struct err err;

    scratch_write(dir, "ca.pem", "CA FILE", 0);
    scratch_write(dir, "cert.pem", "CERT FILE", 0);
    scratch_write(dir, "key.pem", "KEY FILE", 0);
    _cleanup_(freep) char *text = scratch_expand(dir,
        CONTEXT "clusters: [{name: k, cluster: {server: 'https://h', certificate-authority: ca.pem}}]\n"
                "users: [{name: u, user: {client-certificate: '@/cert.pem', client-certificate-data: Q0VSVA==,\n"
                "    client-key: ./key.pem}}]\n");
    scratch_write(dir, "config", text, 0);
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    assert_string_equal(c->ca_pem, "CA FILE");
    _cleanup_(freep) char *ca_file = scratch_path(dir, "ca.pem");
    assert_string_equal(c->ca_file, ca_file);
    assert_string_equal(c->client_cert_pem, "CERT");
    assert_string_equal(secret_reveal(c->client_key_pem), "KEY FILE");
    assert_string_equal(c->namespace_name, "default");
}

static void an_exec_plugin_is_read_and_its_relative_path_belongs_to_the_file(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *c = NULL, *d = NULL;
    struct err err;

    scratch_write(dir, "config",
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}, {name: d, context: {cluster: k, user: v}}]\n" CLUSTER
        "users:\n"
        "- {name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/plugin,\n"
        "    args: [get-token, ''], env: [{name: A, value: b}], installHint: get it, provideClusterInfo: true,\n"
        "    interactiveMode: IfAvailable}}}\n"
        "- {name: v, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: "
        "null}}}\n",
        0);
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    _cleanup_(freep) char *command = scratch_expand(dir, "@/./bin/plugin");
    assert_string_equal(c->exec->api_version, "client.authentication.k8s.io/v1");
    assert_string_equal(c->exec->command, command);
    assert_string_equal(c->exec->args[0], "get-token");
    assert_string_equal(c->exec->args[1], "");
    assert_null(c->exec->args[2]);
    assert_string_equal(c->exec->env[0], "A=b");
    assert_string_equal(c->exec->install_hint, "get it");
    assert_true(c->exec->provide_cluster_info);

    assert_int_equal(load(&d, dir, "config", "d", &err), 0);
    assert_string_equal(d->exec->command, "kubelogin");
    assert_null(d->exec->args[0]);
    assert_false(d->exec->provide_cluster_info);
}

static void a_context_without_a_user_is_anonymous_and_http_is_fine_on_loopback(void **state)
{
    const char *dir = *state;
    static const char *const servers[] = {"http://localhost:8001", "http://127.0.0.1:1", "http://[::1]:8001/prefix"};

    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        _cleanup_(kube_config_freep) struct kube_config *c = NULL;
        struct err err;
        _cleanup_(freep) char *text = xasprintf("current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
                                                "clusters: [{name: k, cluster: {server: '%s'}}]\n",
            servers[i]);
        scratch_write(dir, "config", text, 0);
        assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
        assert_string_equal(c->server, servers[i]);
        assert_null(c->token);
    }
}

/* --- refusals --- */

struct refusal {
    const char *name;
    const char *text;
    const char *message; /* all of it */
    const char *context;
};

#define IN_USER(fields) CONTEXT CLUSTER "users: [{name: u, user: {" fields "}}]\n"
#define IN_EXEC(fields) IN_USER("exec: {" fields "}")
#define V1 "apiVersion: client.authentication.k8s.io/v1, "

static const struct refusal refusals[] = {
    {"no context chosen", "contexts: [{name: a}, {name: b}]", "@/config: no current-context is set; contexts: a, b"},
    {"an empty file", "", "@/config: no current-context is set; contexts: none"},
    {"a list", "[]", "@/config: not a kubeconfig file"},
    {"an unknown context", CONTEXT, "@/config: there is no context \"x\"; contexts: c", "x"},
    {"a context of the wrong type", "current-context: 7",
        "@/config: current-context: expected a string (a number or a boolean needs quotes)"},
    {"contexts that are no list", "current-context: c\ncontexts: {}", "@/config: contexts: expected a list"},
    {"a context that is no object", "current-context: c\ncontexts: [1]", "@/config: contexts[0]: expected an object"},
    {"a context without content", "current-context: c\ncontexts: [{name: c}]",
        "@/config: contexts[0].context: expected an object"},
    {"a context without cluster", "current-context: c\ncontexts: [{name: c, context: {user: u}}]",
        "@/config: contexts[0].context.cluster: missing"},
    {"a context twice", "current-context: c\ncontexts: [{name: c, context: {}}, {name: c, context: {}}]",
        "@/config: contexts[1].name: \"c\" is there twice"},
    {"an unknown cluster", CONTEXT,
        "@/config: contexts[0].context.cluster: \"k\" is not among the clusters of @/config"},
    {"an unknown user", CONTEXT CLUSTER,
        "@/config: contexts[0].context.user: \"u\" is not among the users of @/config"},
    {"no server", IN_CLUSTER(""), "@/config: clusters[0].cluster.server: missing"},
    {"a server without scheme", IN_CLUSTER("server: 'localhost:8080'"),
        "@/config: clusters[0].cluster.server: not a URL such as https://10.0.0.1:6443"},
    {"a server with a password", IN_CLUSTER("server: 'https://a:hunter2@h'"),
        "@/config: clusters[0].cluster.server: a user, a query or a fragment has no place in it"},
    {"a server with a query", IN_CLUSTER("server: 'https://h/?a'"),
        "@/config: clusters[0].cluster.server: a user, a query or a fragment has no place in it"},
    {"plain http to another host", IN_CLUSTER("server: 'http://10.0.0.1:8080'"),
        "@/config: clusters[0].cluster.server: plain http is accepted on loopback only, use https"},
    {"plain http to a host that looks like loopback", IN_CLUSTER("server: 'http://127.evil.example'"),
        "@/config: clusters[0].cluster.server: plain http is accepted on loopback only, use https"},
    {"TLS that is not verified", IN_CLUSTER("server: 'https://h', insecure-skip-tls-verify: true"),
        "@/config: clusters[0].cluster.insecure-skip-tls-verify: refused, the API server is always verified: give "
        "certificate-authority-data instead"},
    {"a SOCKS proxy", IN_CLUSTER("server: 'https://h', proxy-url: 'socks5://p:1080'"),
        "@/config: clusters[0].cluster.proxy-url: only http and https proxies are understood"},
    {"a CA that is not base64", IN_CLUSTER("server: 'https://h', certificate-authority-data: 'LS0t*'"),
        "@/config: clusters[0].cluster.certificate-authority-data: not base64"},
    {"a CA that is not there", IN_CLUSTER("server: 'https://h', certificate-authority: gone.pem"),
        "@/config: clusters[0].cluster.certificate-authority: cannot read @/gone.pem: No such file or directory"},
    {"a key that is not base64", IN_USER("client-certificate-data: UEVN, client-key-data: nope!"),
        "@/config: users[0].user.client-key-data: not base64"},
    {"a key with a NUL", IN_USER("client-certificate-data: UEVN, client-key-data: QQBC"),
        "@/config: users[0].user.client-key-data: not PEM text"},
    {"a certificate without key", IN_USER("client-certificate-data: UEVN"),
        "@/config: users[0].user: a client certificate needs its key, and a key its certificate"},
    {"a key without certificate", IN_USER("client-key-data: UEVN"),
        "@/config: users[0].user: a client certificate needs its key, and a key its certificate"},
    {"a number for a token", IN_USER("token: 12345"),
        "@/config: users[0].user.token: expected a string (a number or a boolean needs quotes)"},
    {"a token with a line break", IN_USER("token: \"a\\r\\nHost: evil\""),
        "@/config: users[0].user.token: holds white space or a character that no token has"},
    {"an auth provider", IN_USER("auth-provider: {name: azure}"),
        "@/config: users[0].user.auth-provider: was removed from Kubernetes in 1.26: use exec with a credential "
        "plugin"},
    {"a user name", IN_USER("username: admin"),
        "@/config: users[0].user.username: user name and password were removed from Kubernetes in 1.19: use a token or "
        "a certificate"},
    {"a password", IN_USER("password: hunter2"),
        "@/config: users[0].user.password: user name and password were removed from Kubernetes in 1.19: use a token or "
        "a certificate"},
    {"impersonation", IN_USER("as: root"),
        "@/config: users[0].user.as: impersonation is not supported: use the identity itself"},
    {"impersonated groups", IN_USER("as-groups: ['system:masters']"),
        "@/config: users[0].user.as-groups: impersonation is not supported: use the identity itself"},
    {"exec of the wrong type", IN_USER("exec: [a]"), "@/config: users[0].user.exec: expected an object"},
    {"exec of a removed version", IN_EXEC("apiVersion: client.authentication.k8s.io/v1alpha1, command: x"),
        "@/config: users[0].user.exec.apiVersion: expected client.authentication.k8s.io/v1 or v1beta1"},
    {"exec without command", IN_EXEC(V1), "@/config: users[0].user.exec.command: missing"},
    {"exec that needs a person", IN_EXEC(V1 "command: x, interactiveMode: Always"),
        "@/config: users[0].user.exec.interactiveMode: Always is refused: nobody is there to answer the plugin"},
    {"exec with a number as argument", IN_EXEC(V1 "command: x, args: [1]"),
        "@/config: users[0].user.exec.args: expected strings (numbers and booleans need quotes)"},
    {"exec with arguments that are no list", IN_EXEC(V1 "command: x, args: abc"),
        "@/config: users[0].user.exec.args: expected a list of at most 256"},
    {"exec with a nameless variable", IN_EXEC(V1 "command: x, env: [{value: b}]"),
        "@/config: users[0].user.exec.env: expected objects with a name and a value, both strings"},
    {"exec with a variable's name that sets another", IN_EXEC(V1 "command: x, env: [{name: 'A=b', value: c}]"),
        "@/config: users[0].user.exec.env: expected objects with a name and a value, both strings"},
};

static void what_cannot_be_followed_is_refused_by_file_and_field(void **state)
{
    const char *dir = *state;

    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        _cleanup_(freep) char *message = scratch_expand(dir, r->message);
        struct kube_config *config;
        struct err err;
        print_message("  %s\n", r->name);
        scratch_write(dir, "config", r->text, 0);
        assert_int_equal(load(&config, dir, "config", r->context, &err), -1);
        assert_string_equal(err.msg, message);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(config);
        assert_null(strstr(err.msg, "hunter2"));
    }
}

static void hostile_files_are_refused_and_nothing_else_happens(void **state)
{
    const char *dir = *state;
    struct buf deep = BUF_INIT(1 << 20), huge = BUF_INIT(8 << 20), many = BUF_INIT(1 << 20);
    struct kube_config *config;
    struct err err;

    for (int i = 0; i < 20000; i++)
        buf_putc(&deep, '[');
    while (huge.len < (4 << 20) + 1)
        buf_puts(&huge, "# nothing but a comment, again and again\n");
    for (int i = 0; i < 5000; i++)
        buf_printf(&many, "%s{name: context-%04d}", i ? ", " : "contexts: [", i);
    buf_puts(&many, "]\n");
    scratch_write(dir, "deep", buf_str(&deep), 0);
    scratch_write(dir, "huge", buf_str(&huge), 0);
    scratch_write(dir, "many", buf_str(&many), 0);
    scratch_write(dir, "bomb", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 0);
    scratch_write(dir, "syntax", "clusters: [}", 0);

    assert_int_equal(load(&config, dir, "deep", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(load(&config, dir, "huge", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    assert_int_equal(load(&config, dir, "bomb", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(load(&config, dir, "syntax", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "/syntax:1:"));
    assert_int_equal(load(&config, dir, "many", NULL, &err), -1);
    assert_non_null(strstr(err.msg, "context-0009 and 4990 more"));
    buf_done(&deep);
    buf_done(&huge);
    buf_done(&many);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_field_of_a_cluster_and_a_user_is_read),
        T(files_are_found_beside_the_kubeconfig_and_data_goes_before_files),
        T(an_exec_plugin_is_read_and_its_relative_path_belongs_to_the_file),
        T(a_context_without_a_user_is_anonymous_and_http_is_fine_on_loopback),
        T(what_cannot_be_followed_is_refused_by_file_and_field),
        T(hostile_files_are_refused_and_nothing_else_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
