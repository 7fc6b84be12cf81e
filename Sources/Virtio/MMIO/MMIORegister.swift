/// The registers of virtio-mmio, all 32 bits and little endian.
///
/// Version 2 (VIRTIO 1.2, section 4.2.2):
///
///     000 MagicValue   004 Version          008 DeviceID           00c VendorID
///     010 DeviceFeatures   014 DeviceFeaturesSel   020 DriverFeatures   024 DriverFeaturesSel
///     030 QueueSel     034 QueueNumMax      038 QueueNum           044 QueueReady        050 QueueNotify
///     060 InterruptStatus  064 InterruptACK 070 Status
///     080 QueueDescLow/High   090 QueueDriverLow/High   0a0 QueueDeviceLow/High
///     0ac SHMSel       0b0 SHMLenLow/High   0b8 SHMBaseLow/High    0c0 QueueReset
///     0fc ConfigGeneration                  100 configuration of the device
///
/// Version 1 (section 4.2.4) has these instead of 044 and of 080 to 0fc:
///
///     028 GuestPageSize    03c QueueAlign   040 QueuePFN
enum MMIORegister {
    static let magicValue: UInt64 = 0x000
    static let version: UInt64 = 0x004
    static let deviceID: UInt64 = 0x008
    static let vendorID: UInt64 = 0x00C
    static let deviceFeatures: UInt64 = 0x010
    static let deviceFeaturesSelect: UInt64 = 0x014
    static let driverFeatures: UInt64 = 0x020
    static let driverFeaturesSelect: UInt64 = 0x024
    static let guestPageSize: UInt64 = 0x028
    static let queueSelect: UInt64 = 0x030
    static let queueSizeMaximum: UInt64 = 0x034
    static let queueSize: UInt64 = 0x038
    static let queueAlignment: UInt64 = 0x03C
    static let queuePageNumber: UInt64 = 0x040
    static let queueReady: UInt64 = 0x044
    static let queueNotify: UInt64 = 0x050
    static let interruptStatus: UInt64 = 0x060
    static let interruptAcknowledge: UInt64 = 0x064
    static let status: UInt64 = 0x070
    static let queueDescriptors: UInt64 = 0x080
    static let queueAvailable: UInt64 = 0x090
    static let queueUsed: UInt64 = 0x0A0
    static let sharedMemory: ClosedRange<UInt64> = 0x0B0...0x0BC
    static let queueReset: UInt64 = 0x0C0
    static let configurationGeneration: UInt64 = 0x0FC
    static let configuration: UInt64 = 0x100

    /// "virt".
    static let magic: UInt64 = 0x7472_6976
    /// "QEMU": drivers made for QEMU's `virt` board look for it.
    static let vendor: UInt64 = 0x554D_4551
}
