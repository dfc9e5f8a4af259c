/* cosmoscmk: customer-managed keys on existing Azure Cosmos DB accounts, declaratively. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/trim.h"
#include "controller/commands.h"

#include <stdio.h>
#include <sys/resource.h>

/* libcurl brings GnuTLS into the process (through LDAP and RTMP, which we never speak; our TLS is OpenSSL). Loading it
 * starts it: 1.5 MB of code and tables, a random generator, PKCS #11 modules. It asks its program first whether to:
 * https://www.gnutls.org/manual/html_node/Initialization.html (GNUTLS_SKIP_GLOBAL_INIT). */
int gnutls_stays_asleep(void) __asm__("_gnutls_global_init_skip") __attribute__((visibility("default"), used));
int gnutls_stays_asleep(void)
{
    return 1;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"controller", cmd_controller, "run the controller"},
    {"explain", cmd_explain, "say what a reason in a status means and what to do"},
    {"version", cmd_version, "print the version"},
};

static void usage(FILE *out)
{
    (void)fputs("usage: cosmoscmk COMMAND [FLAGS]\n\n", out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        (void)fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    (void)fputs("\n`cosmoscmk COMMAND --help` lists the flags of a command.\n", out);
}

/* What was to be printed has been printed, or the command has failed: a pipeline must not take half for the whole. */
static int printed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)fputs("cosmoscmk: cannot write to standard output\n", stderr);
    return status ? status : 1;
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0};

    (void)setrlimit(RLIMIT_CORE, &none); /* tokens must not end up in a core dump (design 3.7) */
    memory_setup();
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    const char *name = str_eq(argv[1], "--version") ? "version" : argv[1];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_eq(name, commands[i].name))
            return printed(commands[i].run(argc - 1, argv + 1));
    if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h") || str_eq(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    (void)fprintf(stderr, "cosmoscmk: unknown command \"%.100s\"\n\n", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}
