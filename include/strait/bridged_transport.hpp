#pragma once

// The transport stands in transports/bridged.hpp; this is where programs for 0.1 look for it.
#include "strait/transports/bridged.hpp"
