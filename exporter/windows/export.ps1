# The stream of one call: reads the event log, writes lines on standard output, hears the collector on standard input.
#
# qrexec-client-vm.exe starts it, for start.ps1. Its code is in the .cs files beside it, where it is tested.
# Do not write the name of PowerShell's input variable anywhere in this file: powershell.exe looks for it, and where it
# finds it, it reads standard input itself.

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2

try {
    $told = Import-PowerShellDataFile -Path "$PSScriptRoot\settings.psd1"
    $channels = New-Object 'System.Collections.Generic.Dictionary[string,System.Collections.Generic.HashSet[string]]'
    foreach ($name in $told.Channels) {
        $channels[$name] = New-Object 'System.Collections.Generic.HashSet[string]'
    }
    foreach ($name in $told.Without.Keys) {
        foreach ($id in $told.Without[$name]) { [void] $channels[$name].Add([string] $id) }
    }
    $files = Get-ChildItem "$PSScriptRoot\*.cs" | ForEach-Object { $_.FullName }
    Add-Type -Path $files -ReferencedAssemblies @('System.Core', 'System.Xml')
    $code = [Logchain.Program]::Serve((New-Object Logchain.EventLogs), "$PSScriptRoot\state", $env:COMPUTERNAME, $channels)
}
catch {
    [IO.File]::WriteAllText("$PSScriptRoot\state\trouble", "$_`n") # nobody sees standard error
    $code = 2
}
[Environment]::Exit($code) # at once: a thread may still wait for the collector
