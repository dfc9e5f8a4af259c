/* libfaults.so, for LD_PRELOAD: one call of one function fails, as if the system or a library had refused it.
 *
 *     COSMOSCMK_FAULT=socket:3     the third call of socket() fails; none when it is not set
 *     COSMOSCMK_FAULT_LOG=FILE     one line when that has happened
 *     COSMOSCMK_FAULT_COUNTS=FILE  at the end of the process: "NAME CALLS" for each function that was called
 *
 * Calls count from the beginning of main(), by whomever they are made: the program, or a library on its behalf (calls
 * within one library or within libc are not seen). Nothing else is changed: all other calls go through to whatever
 * comes next, the sanitizers' own versions among them. It keeps no state but counters, and allocates nothing. */
#define CURL_DISABLE_TYPECHECK
#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <yaml.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* Every function that can fail here: what it gives, its name, its parameters, its arguments, how it fails. */
#define FUNCTIONS(F)                                                                                                   \
    F(int, socket, (int domain, int type, int protocol), (domain, type, protocol), FAIL(EMFILE, -1))                   \
    F(int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds),                \
        FAIL(EMFILE, -1))                                                                                              \
    F(int, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), FAIL(ECONNREFUSED, -1))         \
    F(int, bind, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), FAIL(EADDRINUSE, -1))              \
    F(int, listen, (int fd, int backlog), (fd, backlog), FAIL(EADDRINUSE, -1))                                         \
    F(int, accept, (int fd, struct sockaddr *from, socklen_t *len), (fd, from, len), FAIL(EMFILE, -1))                 \
    F(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags), (fd, from, len, flags),                \
        FAIL(EMFILE, -1))                                                                                              \
    F(int, getsockname, (int fd, struct sockaddr *name, socklen_t *len), (fd, name, len), FAIL(ENOBUFS, -1))           \
    F(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len), (fd, level, name, value, len),      \
        FAIL(ENOBUFS, -1))                                                                                             \
    F(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), (fd, level, name, value, len), \
        FAIL(ENOMEM, -1))                                                                                              \
    F(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), FAIL(broken(fd), -1))                                  \
    F(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n), FAIL(broken(fd), -1))                       \
    F(ssize_t, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags), FAIL(ECONNRESET, -1))                \
    F(ssize_t, send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags), FAIL(EPIPE, -1))           \
    F(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags), FAIL(ECONNRESET, -1))                   \
    F(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), FAIL(EPIPE, -1))                  \
    F(int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms), FAIL(EINTR, -1))                               \
    F(int, eventfd, (unsigned start, int flags), (start, flags), FAIL(EMFILE, -1))                                     \
    F(int, pipe, (int fds[2]), (fds), FAIL(EMFILE, -1))                                                                \
    F(int, pipe2, (int fds[2], int flags), (fds, flags), FAIL(EMFILE, -1))                                             \
    F(int, stat, (const char *path, struct stat *to), (path, to), FAIL(EACCES, -1))                                    \
    F(int, fstat, (int fd, struct stat *to), (fd, to), FAIL(EIO, -1))                                                  \
    F(int, clock_gettime, (clockid_t id, struct timespec * to), (id, to), FAIL(EINVAL, -1))                            \
    F(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left), FAIL(EINTR, -1))             \
    F(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *time), (set, info, time),       \
        FAIL(EINTR, -1))                                                                                               \
    F(int, gethostname, (char *name, size_t n), (name, n), FAIL(ENAMETOOLONG, -1))                                     \
    F(ssize_t, getrandom, (void *to, size_t n, unsigned flags), (to, n, flags), FAIL(EINTR, -1))                       \
    F(int, madvise, (void *at, size_t n, int advice), (at, n, advice), FAIL(EINVAL, -1))                               \
    F(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t from), (at, n, prot, flags, fd, from),     \
        FAIL(ENOMEM, MAP_FAILED))                                                                                      \
    F(FILE *, fopen, (const char *path, const char *mode), (path, mode), FAIL(EMFILE, NULL))                           \
    F(DIR *, opendir, (const char *path), (path), FAIL(EMFILE, NULL))                                                  \
    F(int, getaddrinfo, (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret),  \
        (node, service, hints, ret), FAIL(0, EAI_AGAIN))                                                               \
    F(int, pthread_create, (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *ctx),          \
        (thread, attr, run, ctx), FAIL(0, EAGAIN))                                                                     \
    F(int, pthread_cond_init, (pthread_cond_t * cond, const pthread_condattr_t *attr), (cond, attr), FAIL(0, ENOMEM))  \
    F(CURLcode, curl_global_init_mem,                                                                                  \
        (long flags, curl_malloc_callback m, curl_free_callback f, curl_realloc_callback r, curl_strdup_callback s,    \
            curl_calloc_callback c),                                                                                   \
        (flags, m, f, r, s, c), FAIL(0, CURLE_FAILED_INIT))                                                            \
    F(CURL *, curl_easy_init, (void), (), FAIL(0, NULL))                                                               \
    F(CURLM *, curl_multi_init, (void), (), FAIL(0, NULL))                                                             \
    F(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL * easy), (multi, easy), FAIL(0, CURLM_OUT_OF_MEMORY))     \
    F(CURLMcode, curl_multi_perform, (CURLM * multi, int *running), (multi, running), FAIL(0, CURLM_INTERNAL_ERROR))   \
    F(CURLMcode, curl_multi_poll, (CURLM * multi, struct curl_waitfd * more, unsigned n, int ms, int *ret),            \
        (multi, more, n, ms, ret), FAIL(0, CURLM_OUT_OF_MEMORY))                                                       \
    F(CURLMcode, curl_multi_wakeup, (CURLM * multi), (multi), FAIL(0, CURLM_WAKEUP_FAILURE))                           \
    F(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text), (list, text),              \
        FAIL(0, NULL))                                                                                                 \
    F(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *method), (method), FAIL(0, NULL))                                     \
    F(SSL *, SSL_new, (SSL_CTX * ctx), (ctx), FAIL(0, NULL))                                                           \
    F(int, SSL_connect, (SSL * ssl), (ssl), FAIL(0, -1))                                                               \
    F(int, SSL_accept, (SSL * ssl), (ssl), FAIL(0, -1))                                                                \
    F(int, SSL_read, (SSL * ssl, void *to, int n), (ssl, to, n), FAIL(0, -1))                                          \
    F(int, SSL_write, (SSL * ssl, const void *from, int n), (ssl, from, n), FAIL(0, -1))                               \
    F(BIO *, BIO_new_mem_buf, (const void *bytes, int n), (bytes, n), FAIL(0, NULL))                                   \
    F(X509 *, PEM_read_bio_X509, (BIO * bio, X509 * *to, pem_password_cb * cb, void *ctx), (bio, to, cb, ctx),         \
        FAIL(0, NULL))                                                                                                 \
    F(X509_STORE *, X509_STORE_new, (void), (), FAIL(0, NULL))                                                         \
    F(int, X509_STORE_add_cert, (X509_STORE * store, X509 * x), (store, x), FAIL(0, 0))                                \
    F(int, RAND_bytes, (unsigned char *to, int n), (to, n), FAIL(0, 0))                                                \
    F(struct lws_context *, lws_create_context, (const struct lws_context_creation_info *info), (info), FAIL(0, NULL)) \
    F(struct lws_vhost *, lws_create_vhost,                                                                            \
        (struct lws_context * context, const struct lws_context_creation_info *info), (context, info), FAIL(0, NULL))  \
    F(int, lws_service, (struct lws_context * context, int ms), (context, ms), FAIL(0, -1))                            \
    F(int, lws_write, (struct lws * wsi, unsigned char *bytes, size_t n, enum lws_write_protocol how),                 \
        (wsi, bytes, n, how), FAIL(0, -1))                                                                             \
    F(int, lws_add_http_header_status, (struct lws * wsi, unsigned code, unsigned char **at, unsigned char *end),      \
        (wsi, code, at, end), FAIL(0, 1))                                                                              \
    F(int, lws_callback_on_writable, (struct lws * wsi), (wsi), FAIL(0, -1))                                           \
    F(int, yaml_parser_initialize, (yaml_parser_t * parser), (parser), FAIL(0, 0))                                     \
    F(void *, malloc, (size_t n), (n), FAIL(ENOMEM, NULL))                                                             \
    F(void *, realloc, (void *at, size_t n), (at, n), FAIL(ENOMEM, NULL))

/* Those with a list of arguments that is open at its end. */
#define OPEN_FUNCTIONS(F) F(open) F(openat) F(curl_easy_setopt) F(curl_easy_getinfo) F(curl_multi_setopt) F(calloc)

#define AS_ENUM(type, name, parameters, arguments, failure) IS_##name,
#define AS_ENUM_OPEN(name) IS_##name,
enum function { FUNCTIONS(AS_ENUM) OPEN_FUNCTIONS(AS_ENUM_OPEN) N_FUNCTIONS };

#define AS_NAME(type, name, parameters, arguments, failure) [IS_##name] = #name,
#define AS_NAME_OPEN(name) [IS_##name] = #name,
static const char *const names[] = {FUNCTIONS(AS_NAME) OPEN_FUNCTIONS(AS_NAME_OPEN)};

static atomic_bool ready;
static atomic_long calls[N_FUNCTIONS];
static int chosen = -1;
static long nth;
static const char *counts_path;

/* System calls only: this runs within whatever function fails. */
static void put(const char *variable, const char *text)
{
    const char *path = getenv(variable);
    long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    (void)syscall(SYS_write, fd, text, strlen(text));
    (void)syscall(SYS_close, fd);
}

static bool fails(enum function function)
{
    if (!atomic_load(&ready))
        return false;
    if (atomic_fetch_add(&calls[function], 1) + 1 != nth || (int)function != chosen)
        return false;
    put("COSMOSCMK_FAULT_LOG", "fired\n");
    return true;
}

/* What a socket, and what anything else says that can no longer be read or written. */
static int broken(int fd)
{
    int type;
    socklen_t len = sizeof(type);

    return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 ? ECONNRESET : EIO;
}

static void *next_of(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define NEXT(name)                                                                                                     \
    ({                                                                                                                 \
        static _Atomic(__typeof__(&(name))) next_;                                                                     \
        __typeof__(&(name)) found_ = atomic_load(&next_);                                                              \
        if (!found_) {                                                                                                 \
            found_ = (__typeof__(&(name)))next_of(#name);                                                              \
            atomic_store(&next_, found_);                                                                              \
        }                                                                                                              \
        found_;                                                                                                        \
    })

#define FAIL(error, value)                                                                                             \
    do {                                                                                                               \
        errno = (error);                                                                                               \
        return value;                                                                                                  \
    } while (0)

#define AS_FUNCTION(type, name, parameters, arguments, failure)                                                        \
    type name parameters                                                                                               \
    {                                                                                                                  \
        if (fails(IS_##name))                                                                                          \
            failure;                                                                                                   \
        return NEXT(name) arguments;                                                                                   \
    }
FUNCTIONS(AS_FUNCTION)

/* dlsym() may allocate while calloc() is being looked up, and what it gets is never given back. */
void *calloc(size_t n, size_t size)
{
    static char spare[4096] __attribute__((aligned(16)));
    static size_t used;
    static _Thread_local bool looking;

    if (looking) {
        size_t from = used;
        used += (n * size + 15) & ~(size_t)15;
        return used <= sizeof(spare) ? spare + from : NULL;
    }
    if (fails(IS_calloc))
        FAIL(ENOMEM, NULL);
    looking = true;
    void *(*next)(size_t, size_t) = NEXT(calloc);
    looking = false;
    return next(n, size);
}

int open(const char *path, int flags, ...)
{
    va_list list;

    if (fails(IS_open))
        FAIL(EMFILE, -1);
    va_start(list, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, unsigned) : 0;
    va_end(list);
    return NEXT(open)(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list list;

    if (fails(IS_openat))
        FAIL(EMFILE, -1);
    va_start(list, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, unsigned) : 0;
    va_end(list);
    return NEXT(openat)(dir, path, flags, mode);
}

/* Every argument of these fits into a pointer, and goes on as one. */
#define OPTION_FUNCTION(type, name, handle, option, failure)                                                           \
    type name(handle h, option o, ...)                                                                                 \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        if (fails(IS_##name))                                                                                          \
            return failure;                                                                                            \
        va_start(list, o);                                                                                             \
        void *value = va_arg(list, void *);                                                                            \
        va_end(list);                                                                                                  \
        return NEXT(name)(h, o, value);                                                                                \
    }
OPTION_FUNCTION(CURLcode, curl_easy_setopt, CURL *, CURLoption, CURLE_OUT_OF_MEMORY)
OPTION_FUNCTION(CURLcode, curl_easy_getinfo, CURL *, CURLINFO, CURLE_BAD_FUNCTION_ARGUMENT)
OPTION_FUNCTION(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption, CURLM_OUT_OF_MEMORY)

static __attribute__((constructor)) void begin(void)
{
    const char *fault = getenv("COSMOSCMK_FAULT"), *colon = fault ? strchr(fault, ':') : NULL;

    counts_path = getenv("COSMOSCMK_FAULT_COUNTS");
    for (int i = 0; colon && i < N_FUNCTIONS; i++)
        if (strncmp(names[i], fault, (size_t)(colon - fault)) == 0 && !names[i][colon - fault])
            chosen = i;
    if (colon)
        nth = strtol(colon + 1, NULL, 10);
    atomic_store(&ready, true);
}

static __attribute__((destructor)) void end(void)
{
    char line[64];

    atomic_store(&ready, false);
    for (int i = 0; counts_path && i < N_FUNCTIONS; i++) {
        (void)snprintf(line, sizeof(line), "%s %ld\n", names[i], atomic_load(&calls[i]));
        if (atomic_load(&calls[i]))
            put("COSMOSCMK_FAULT_COUNTS", line);
    }
}
