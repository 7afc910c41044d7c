#pragma once

// The transport stands in transports/mach.hpp; this is where programs for 0.1 look for it.
#include "strait/transports/mach.hpp"
