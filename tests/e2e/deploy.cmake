# The tests of the installation (deploy/). Those labelled slow need a real kube-apiserver or what comes with it, and are skipped, and say so,
# where it is missing; with CI in the environment that is a failure.
add_test(NAME deploy_manifests COMMAND ${CMAKE_SOURCE_DIR}/hack/manifests.sh --check)
add_test(NAME deploy_chart COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/chart.sh)
add_test(NAME deploy_monitoring COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/monitoring.sh)
add_test(NAME deploy_real COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/deploy.sh)
add_test(NAME deploy_rbac COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/rbac.sh ${CMAKE_BINARY_DIR})
set_tests_properties(deploy_manifests deploy_chart deploy_monitoring deploy_real deploy_rbac PROPERTIES LABELS slow TIMEOUT 600
  SKIP_RETURN_CODE 77)

# What the tests ask of fake-azure is what the roles in deploy/azure have to allow.
set(trace ${CMAKE_BINARY_DIR}/azure.trace)
add_test(NAME azure_trace_new COMMAND ${CMAKE_COMMAND} -E rm -f ${trace})
set_tests_properties(azure_trace_new PROPERTIES LABELS e2e FIXTURES_SETUP azure_trace_new)
set_tests_properties(e2e_fake PROPERTIES ENVIRONMENT FAKE_AZURE_TRACE=${trace} FIXTURES_REQUIRED azure_trace_new FIXTURES_SETUP azure_traced)
add_test(NAME deploy_azure_role COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/azure_role.sh ${trace})
set_tests_properties(deploy_azure_role PROPERTIES LABELS e2e FIXTURES_REQUIRED azure_traced)
