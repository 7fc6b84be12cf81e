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
    /// The host is at work; `QueueService.finish` follows.
    case pending
    /// The device cannot take it now. It goes back to its queue, which is looked at again after `QueueService.wake` or a
    /// notification.
    case waits
}
