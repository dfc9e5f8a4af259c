# The figures of hack/bench.sh as a Markdown table. A figure that was not taken says so; a target that is missed says so.

. as $run |
def value($name; $who): first($run.figures[] | select(.name == $name and .who == $who) | .value) // null;
def fixed($digits): . * pow(10; $digits) | round / pow(10; $digits) | tostring;
def count: tostring | [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(",");
def mb($name; $who): value($name; $who) | if . then . / 1000 * 1.024 else null end;
def percent($part; $who):
    value($part + "_cpu_after_ms"; $who) as $after |
    if $after then ($after - value($part + "_cpu_before_ms"; $who)) * 1000 / value($part + "_window_us"; "both") * 100 else null end;
def scaled($by): if . then . / $by else null end;
def sum($a; $b): if $a == null then null else $a + $b end;

# One row: f($who) gives a number or null; show prints it; limit is what ours may be at most, or null.
def row($what; $target; limit; f; show):
    def cell: . as $who | f | if . then show elif $who == "peer" and ($run.peer | not) then "no peer here" else "not measured" end;
    ("ours" | f) as $v | limit as $limit |
    "| \($what) | \($target) | \("ours" | cell)\(if $v and $limit and $v > $limit then " **(missed)**" else "" end) | \("peer" | cell) |";
def only_ours($what; $target; limit; f; show; $peer):
    row($what; $target; limit; f; show) | sub("(no peer here|not measured) \\|$"; "\($peer) |");

($run.settings.fleet | count) as $n | ($run.settings.big | count) as $big |
(if value("steady_lease_writes"; "ours") then " (lease renewals: \(value("steady_lease_writes"; "ours")) and \(value("steady_lease_writes"; "peer") // 0))" else "" end) as $leases |
(if $run.quick then "**A quick run: it shows that the bench works. The figures mean little.**\n\n" else "" end),
"| what | target | cosmoscmk | controller-runtime |",
"|---|---|---|---|",
row("resident memory, idle"; "8 MB"; 8; . as $w | mb("idle_rss"; $w); fixed(1) + " MB"),
row("resident memory, \($n) resources"; "20 MB"; 20; . as $w | mb("steady_rss"; $w); fixed(1) + " MB"),
row("resident memory, \($big) resources"; "120 MB"; 120; . as $w | mb("big_rss"; $w); fixed(1) + " MB"),
row("of that private to the process: idle"; ""; null; . as $w | mb("idle_private"; $w); fixed(1) + " MB"),
row("… \($n)"; ""; null; . as $w | mb("steady_private"; $w); fixed(1) + " MB"),
row("… \($big)"; ""; null; . as $w | mb("big_private"; $w); fixed(1) + " MB"),
row("cold start, \($n) Ready resources, until all are confirmed"; "2 × listing them"; sum(value("steady_list_ms"; "ours"); value("steady_list_ms"; "ours"));
    . as $w | value("steady_cold_ms"; $w); (. / 1000 | fixed(2)) + " s"),
row("the API server's time for listing these \($n)"; ""; null; . as $w | value("steady_list_ms"; $w); (. / 1000 | fixed(2)) + " s"),
row("cold start, \($big) Ready resources"; ""; null; . as $w | value("big_cold_ms"; $w); (. / 1000 | fixed(1)) + " s"),
row("CPU, \($n) resources, steady"; "0.2 % of a core"; 0.2; . as $w | percent("steady"; $w); fixed(2) + " %"),
row("CPU, idle"; ""; null; . as $w | percent("idle"; $w); fixed(2) + " %"),
row("CPU of one resource from created to Ready"; ""; null; . as $w | value("life_cpu_ms"; $w); fixed(2) + " ms"),
row("writes in the steady state, Kubernetes and Azure\($leases)"; "0"; 0;
    . as $w | sum(value("steady_kube_writes"; $w); value("steady_azure_writes"; $w)); tostring),
row("apply to PATCH on the wire, p50"; ""; null; . as $w | value("latency_total_p50_us"; $w); (. / 1000 | fixed(1)) + " ms"),
row("apply to PATCH on the wire, p99"; ""; null; . as $w | value("latency_total_p99_us"; $w); (. / 1000 | fixed(1)) + " ms"),
row("of that not spent in the servers, p50"; ""; null; . as $w | value("latency_own_p50_us"; $w); (. / 1000 | fixed(1)) + " ms"),
row("of that not spent in the servers, p99"; "3 ms"; 3000; . as $w | value("latency_own_p99_us"; $w); (. / 1000 | fixed(1)) + " ms"),
row("requests before that PATCH"; ""; null; . as $w | value("latency_requests"; $w); tostring),
row("program, stripped"; ""; null; . as $w | value("binary_bytes"; $w) | scaled(1e6); fixed(1) + " MB"),
only_ours("container image, compressed"; "12 MB"; 12; . as $w | value("image_bytes"; $w) | scaled(1e6); fixed(1) + " MB"; "—"),
row("build from nothing"; ""; null; . as $w | value("build_s"; $w); fixed(0) + " s"),
only_ours("fast tests"; ""; null; . as $w | value("test_s"; $w); fixed(0) + " s"; "—"),
"",
"`hack/bench.sh`, \($run.date), commit \($run.commit): \($run.machine.cores) cores of \($run.machine.cpu), \($run.machine.memoryGiB) GiB, \($run.machine.system), Linux \($run.machine.kernel), kube-apiserver \($run.versions.apiserver), fake-azure; controller-runtime \($run.versions.controllerRuntime), \($run.versions.go), its defaults. Both: \($run.settings.workers) workers, accounts looked at every \($run.settings.resync) (watched for \($run.settings.steadySeconds) s), a hundred accounts in each subscription, or one where they are on their way to the key (up to \($run.settings.subscriptions) subscriptions), so that Azure's request limits do not count, leader election \(if $run.settings.leaderElection then "on" else "off" end)."
