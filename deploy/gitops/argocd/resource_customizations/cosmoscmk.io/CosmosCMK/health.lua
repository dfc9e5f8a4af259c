-- What Argo CD shows for a CosmosCMK. observedGeneration comes first: conditions of an older spec say nothing about this one.
--
--   Healthy      encrypted with the desired key, as read back from Azure
--   Progressing  work goes on, or will by itself: Azure encrypts, a window is waited for, Azure cannot be reached
--   Suspended    a person is waited for (approval), or the spec asks for no work (spec.suspend, spec.mode Observe)
--   Degraded     nothing will happen until a person acts; never a stage of a change that goes well
local waits_for_a_person = {AwaitingApproval = true, Suspended = true, Observing = true}

local function condition(kind)
  for _, c in ipairs(obj.status.conditions or {}) do
    if c.type == kind then
      return c
    end
  end
  return nil
end

local function health(status, c)
  return {status = status, message = c.reason .. ": " .. c.message}
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The controller has not seen this version of the spec yet"}
end
local ready = condition("Ready")
if ready == nil then
  return {status = "Progressing", message = "The controller has not said anything about it yet"}
end
if ready.status == "True" then
  return health("Healthy", ready)
end
local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled)
end
if waits_for_a_person[ready.reason] then
  return health("Suspended", ready)
end
return health("Progressing", ready)
