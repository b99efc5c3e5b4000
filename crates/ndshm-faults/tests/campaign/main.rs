ndshm_testkit::suite! { roles: [], tests: [] }
