import DiskImages
import HostSystem

/// The event loop of the devices in these tests. It is never stopped, so that nothing here may block it.
enum TestLoop {
    static let shared: EventLoop = {
        do {
            let loop = try EventLoop(name: "test-io")
            try loop.start()
            return loop
        } catch {
            fatalError("no event loop for the tests: \(error)")
        }
    }()

    static let io = DiskIO(loop: shared)
}
