package import Aerie

/// Changes which disks and network cards a kept machine has: `MachineHotplug` where it runs, `StoppedMachineDevices` where it does not.
package protocol MachineDevices {
    /// Adds a disk, in its slot or in a free one.
    func add(_ disk: Disk) throws(AerieError)

    /// Adds a network card. Without an address, it gets one that stays the same.
    func add(_ card: NetworkCard) throws(AerieError)

    /// - Parameter name: the disk's serial, or the path of its file.
    func removeDisk(_ name: String) throws(AerieError)

    /// - Parameter address: the card's MAC address.
    func removeNetworkCard(_ address: String) throws(AerieError)
}
