# What goes to the LogVM. 'wevtutil el' lists the channels that there are. Data only: nothing here is run.
@{
    Channels = @(
        'Application'
        'Security'
        'System'
        'Microsoft-Windows-PowerShell/Operational'
        'Microsoft-Windows-Windows Defender/Operational'
    )

    # Event ids that are left out, by channel: here those of the Windows Filtering Platform, which come by the thousand.
    Without = @{
        'Security' = @(5156, 5157, 5158)
    }
}
