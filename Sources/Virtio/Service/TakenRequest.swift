/// A request that was taken off a queue, and how its device knows it until it is finished.
package struct TakenRequest: Sendable {
    package let chain: DescriptorChain
    /// The index of the queue.
    package let queue: Int
    // Of the queue when the request was taken: the driver may stop the queue meanwhile and set it up anew.
    let generation: UInt64
}

/// How far a device came with a request.
package enum RequestProgress: Sendable {
    /// Finished, with so many bytes of its writable buffers written, from the first on.
    case done(written: Int)
    /// Finished together with the requests that `QueueService.takeNext` added to it; the driver sees all or none.
    case doneTogether([(request: TakenRequest, written: Int)])
    /// The host is at work; `QueueService.finish` follows.
    case pending
    /// The device cannot take it now. It goes back to its queue, with the requests that `QueueService.takeNext` added to it. The queue
    /// is looked at again after `QueueService.wake`, `QueueService.look` or a notification.
    case waits
    /// The device needs more requests than the driver has made available. All go back to the queue as for `waits`, and the driver
    /// notifies of the next one.
    case needsMore
}
