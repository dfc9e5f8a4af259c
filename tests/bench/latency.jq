# From $audit (the API server's audit events) and $journal (fake-azure's requests) of resources that came one at a time:
#
#   total  from the API server's answer to the create until the PATCH of the account was received
#   own    total without the time for which a server had a request of this resource in hand, or several: what is left is the
#          controller's, the wire's, and the API server's from its answer until the watch tells
#
# Azure's requests of one resource are those for its account, and those for no account (vaults).

def us: (.[0:19] + "Z" | fromdate) * 1000000 + (.[20:26] | tonumber);
def covered: reduce (sort_by(.from)[]) as $i ({us: 0, to: 0};
    if $i.to > .to then .us += $i.to - ([$i.from, .to] | max) | .to = $i.to else . end) | .us;
def quantile(q): sort | .[((length * q | ceil) - 1)];

($audit[0] | map(select(.objectRef.resource == "cosmoscmks") |
    {verb, agent: .userAgent, name: .objectRef.name, from: (.requestReceivedTimestamp | us), to: (.stageTimestamp | us)})) as $kube |
($journal[0] | map({method, path, from: .receivedUs, to: (.receivedUs + .tookUs)})) as $arm |
($kube | map(select(.verb == "create"))) as $created |
[$created[] | . as $c |
    ([$arm[] | select(.method == "PATCH" and (.path | endswith("/" + $c.name)))] | .[0]) as $patch |
    select($patch) |
    ([$arm[] | select(.from >= $c.from and .from < $patch.from and
                      ((.path | contains("databaseAccounts/") | not) or (.path | contains("/" + $c.name))))]) as $azure |
    ([$kube[] | select(.name == $c.name and (.agent | startswith($agent)) and .from < $patch.from)]) as $writes |
    {total: ($patch.from - $c.to), requests: (($azure + $writes) | length),
     own: ($patch.from - $c.to - ([$azure[], $writes[]] | covered))}] as $samples |
if ($samples | length) == 0 then error("no sample: nothing was sent") else empty end,
({latency_total_p50_us: ($samples | map(.total) | quantile(0.5)), latency_total_p99_us: ($samples | map(.total) | quantile(0.99)),
  latency_own_p50_us: ($samples | map(.own) | quantile(0.5)), latency_own_p99_us: ($samples | map(.own) | quantile(0.99)),
  latency_requests: ($samples | map(.requests) | quantile(0.5)), latency_samples: ($samples | length)}
 | to_entries[] | {name: .key, $who, value: .value})
