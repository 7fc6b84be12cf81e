import Glibc
import HostSystem
import Synchronization
import TestSupport
import Testing

/// Watches of different signals of one process. No other test of this process uses these signals.
@Suite struct SignalWatchTests {
    @Test func eachWatchHearsOfItsOwnSignalsOnly() throws {
        let loops = [try EventLoop(name: "first"), try EventLoop(name: "second")]
        for loop in loops { try loop.start() }
        defer { for loop in loops { loop.stop() } }
        let heard = Mutex<[[Int32]]>([[], []])
        let signals = [SIGUSR1, SIGUSR2]
        let watches = try zip(signals, loops).enumerated().map { (index, pair) in
            try SignalWatch([pair.0], on: pair.1) { signal in heard.withLock { $0[index].append(signal) } }
        }
        defer { for watch in watches { watch.cancel() } }
        for turn in 1...100 {
            for signal in signals { #expect(kill(getpid(), signal) == 0) }
            // A signal that is still pending arrives once.
            #expect(Patience.wait { heard.withLock { $0.allSatisfy { $0.count == turn } } })
        }
        #expect(heard.withLock { $0 } == signals.map { Array(repeating: $0, count: 100) })
    }
}
