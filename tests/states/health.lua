-- health.lua CHECK TABLE < STATES: runs the health check over every published state, as Argo CD would, and compares with the table of
-- reasons in deploy/gitops/README.md. Every reason must be in the table, and every row of the table must be published.
local cjson = require("cjson")
local source = assert(io.open(arg[1])):read("*a")

local expected, seen = {}, {}
for line in io.lines(arg[2]) do
  local reason, argo = line:match("^| `(%a+)` | [^|]+ | [^|]+ | (%a+) |")
  if reason then
    expected[reason] = argo
  end
end

local n, failures = 0, 0
local function fail(...)
  failures = failures + 1
  print("not ok: " .. string.format(...))
end

-- Argo CD gives a check the object, and of Lua's libraries only these.
local function run(object)
  local world = {obj = object, ipairs = ipairs, pairs = pairs, type = type, tostring = tostring, tonumber = tonumber,
    next = next, string = string, table = table, math = math}
  local chunk = assert(loadstring(source, "health.lua"))
  setfenv(chunk, world)
  return chunk()
end

local words = {Healthy = true, Progressing = true, Degraded = true, Suspended = true}
for line in io.lines() do
  local state = cjson.decode(line)
  local ok, health = pcall(run, state.object)
  local want = state.phase == "UNSEEN" and "Progressing" or expected[state.reason]
  n = n + 1
  seen[state.reason] = true
  if not want then
    fail("%s: the reason %s is not in the table of %s", state.sentence, state.reason, arg[2])
  elseif not ok then
    fail("%s: %s", state.sentence, health)
  elseif not words[health.status] or health.status ~= want then
    fail("%s (%s): %s instead of %s", state.sentence, state.reason, tostring(health.status), want)
  elseif type(health.message) ~= "string" or health.message == "" then
    fail("%s: no message", state.sentence)
  elseif (health.status == "Degraded") ~= (state.phase == "STALLED") then
    fail("%s: %s in phase %s", state.sentence, health.status, state.phase)
  end
end
for reason in pairs(expected) do
  if not seen[reason] then
    fail("the table has %s, which no state has", reason)
  end
end
print(string.format("%d states, %d failures", n, failures))
os.exit(n > 0 and failures == 0 and 0 or 1)
