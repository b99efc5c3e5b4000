// Boost.Interprocess's mutex behind a C interface. Compiled when the benchmark starts, where there
// are a compiler and the headers.
#include <atomic>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <cstdint>
#include <new>

struct Guarded {
    boost::interprocess::interprocess_mutex mutex;
    std::uint64_t value = 0;
};

extern "C" std::uint64_t boost_size() { return sizeof(Guarded); }

extern "C" void boost_create(void* place) { new (place) Guarded; }

// Lock, add one, unlock: until `stop` is set, at most `count` times. How often it was.
extern "C" std::uint64_t boost_increments(void* place, std::uint64_t count, const std::atomic<std::uint32_t>* stop) {
    auto* guarded = static_cast<Guarded*>(place);
    std::uint64_t done = 0;
    while (done < count && stop->load(std::memory_order_relaxed) == 0) {
        guarded->mutex.lock();
        ++guarded->value;
        guarded->mutex.unlock();
        ++done;
    }
    return done;
}

extern "C" std::uint64_t boost_value(void* place) {
    auto* guarded = static_cast<Guarded*>(place);
    guarded->mutex.lock();
    std::uint64_t value = guarded->value;
    guarded->mutex.unlock();
    return value;
}
